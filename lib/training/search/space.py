"""Which values may the searched settings take? The lines of `search.space`, checked, and drawn from."""

from lib.common import config


def checked_lines(job):
    """The lines of `search.space`; ConfigError names one that cannot be searched."""
    for at, line in enumerate(job.params.search.space):
        where = f"search.space[{at}]"
        if not isinstance(line, dict) or not {"key"} < set(line) <= {"key", "choices", "low", "high", "log", "step"} \
                or ("choices" in line) == ("low" in line and "high" in line) or not line.get("choices", [1]):
            raise config.ConfigError(f"{where} is {line!r}; it must be {{key: training.epochs, choices: [8, 16]}} or "
                                     "{key: training.learning_rate, low: 1.0e-4, high: 1.0e-2, log: true}")
        for value in line.get("choices") or (line["low"], line["high"]):
            config.with_overrides(job.params, {line["key"]: value}, job.setting_checks)
    if not job.params.search.space:
        raise config.ConfigError("search.space is empty; name the settings that are to be searched")
    return job.params.search.space


def in_type(job, key, value):
    """A number in the type of the setting: a float or an int."""
    old = job.params
    for part in key.split("."):
        old = old[part]
    return type(old)(float(value))


def suggest(job, trial, line):
    """A value for a line of the space."""
    if "choices" in line:
        return trial.suggest_categorical(line["key"], line["choices"])
    low, high = (in_type(job, line["key"], line[end]) for end in ("low", "high"))
    how = {"log": bool(line.get("log", False))}
    if "step" in line:
        how["step"] = in_type(job, line["key"], line["step"])
    return (trial.suggest_int if isinstance(low, int) else trial.suggest_float)(line["key"], low, high, **how)
