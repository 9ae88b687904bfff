"""How did the search go? Optuna's own plots."""

import warnings

import numpy as np

from lib.search import studies


def charts(found):
    """Optuna's own plots of a search: pairs of a name and a closed figure; none where nothing was searched."""
    if found.study is None:
        return
    import matplotlib
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as plots

    several = len({tuple(trial.params.items()) for trial in studies.done(found.study)}) > 1 \
        and sum(trial.state.name == "COMPLETE" for trial in studies.done(found.study)) > 1
    drawn = {"history": plots.plot_optimization_history, "epochs": plots.plot_intermediate_values}
    if several:
        drawn |= {"importance": plots.plot_param_importances, "slices": plots.plot_slice}
    for name, draw in drawn.items():
        with warnings.catch_warnings(), matplotlib.rc_context():  # Optuna changes the style of all figures
            warnings.simplefilter("ignore")
            axes = np.ravel(draw(found.study))
        figure = axes[0].figure
        figure.set_size_inches(3.2 * len(axes) if len(axes) > 1 else 7, 4)
        for ax in axes:
            ax.set_title("")
            if name == "epochs" and ax.get_legend():
                ax.get_legend().remove()
        plt.close(figure)
        yield name, figure
