"""How did the search go? Optuna's own plots."""

import warnings

import numpy as np

from lib.training.search import studies

WORDS = {"Objective Value": "least validation loss", "Intermediate Value": "validation loss", "Step": "epoch", "Trial": "trial",
         "Hyperparameter Importance": "share of what the settings explain", "Hyperparameter": ""}


def plot_study(study):
    """Optuna's own plots of a study: pairs of a name and a closed figure; none without a study."""
    if study is None:
        return
    import matplotlib
    from optuna.visualization import matplotlib as plots

    several = len({tuple(trial.params.items()) for trial in studies.ended_trials(study)}) > 1 \
        and sum(trial.state.name == "COMPLETE" for trial in studies.ended_trials(study)) > 1
    drawn = {"history": plots.plot_optimization_history, "epochs": plots.plot_intermediate_values}
    if several:
        drawn |= {"importance": plots.plot_param_importances, "slices": plots.plot_slice}
    for name, draw in drawn.items():
        with warnings.catch_warnings(), matplotlib.rc_context():  # Optuna changes the style of all figures
            warnings.simplefilter("ignore")
            axes = np.ravel(draw(study))
        yield name, _plain(axes)


def _plain(axes):
    """The closed figure of these axes, in our words, without titles, and with ticks that can be read."""
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    figure = axes[0].figure
    figure.suptitle("")
    figure.set_size_inches(4 * len(axes) if len(axes) > 1 else 7, 4)
    for ax in axes:
        ax.set_title("", loc="left")
        ax.set_title("")
        ax.set(xlabel=WORDS.get(ax.get_xlabel(), ax.get_xlabel()), ylabel=WORDS.get(ax.get_ylabel(), ax.get_ylabel()))
        if ax.get_legend():  # one line a trial needs none, and the others say again what the axes say
            ax.get_legend().remove()
        if ax.get_xlabel() in ("trial", "epoch"):
            ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        if isinstance(ax.xaxis.get_major_locator(), ticker.LogLocator):
            ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    plt.close(figure)
    return figure
