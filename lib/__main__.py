"""The command line: thin calls of papermill and of the modules. `python -m lib --help` lists the commands."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from lib.common import config
from lib.hub import commands as hub
from lib.storage import files

NOTEBOOKS = {"01": "01_data_preparation", "02": "02_model_building", "03": "03_model_verification",
             "04": "04_model_api"}
FORMATS = ("csv", "coco", "yolo-pose", "yolo-obb", "labelme", "labelstudio", "cvat", "abid", "darknet",
           "names", "openimages")  # of lib.data.formats, which is heavy
BOOKS = config.REPOSITORY / "notebooks"
# The exit status of each kind of trouble (sysexits.h); anything else that is expected ends in 1.
EXITS = {"ConfigError": 2, "Unreachable": 69, "DiskFull": 74, "Busy": 75, "CellTimeoutError": 124, "DeadKernelError": 138}


def main(words=None):
    """Run a command; trouble that a person can mend ends in one sentence and an exit status, never in a trace."""
    arguments = parser().parse_args(words)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return arguments.call(arguments) or 0
    except KeyboardInterrupt as stop:
        print("stopped; the same command goes on where this one ended", file=sys.stderr)
        return 143 if stop.args else 130
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return EXITS.get(error.kind, 1)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXITS.get(type(error).__name__, 1)


def _terminated(*_):
    raise KeyboardInterrupt("terminated")


class Failed(RuntimeError):
    """A notebook that ended in an error of the `kind` named."""

    def __init__(self, kind, sentence):
        super().__init__(sentence)
        self.kind = kind


def parser():
    """The commands with their words. Each says what it calls, as `call`."""
    top = argparse.ArgumentParser("python -m lib", description="Core Box: photographs of core boxes into data.")
    commands = top.add_subparsers(required=True, metavar="command")
    for add in (_add_notebooks, _add_models, _add_labels, _add_training):
        add(commands)
    hub.add(commands)
    return top


def _command(commands, name, call, help):
    """A new command that is about a job."""
    new = commands.add_parser(name, help=help, description=help)
    new.set_defaults(call=call)
    new.add_argument("--task", help="a file of lib/tasks; else as in params.yaml")
    new.add_argument("--profile", help="smoke, demo, full …; else as in params.yaml, or that of the newest finished run")
    new.add_argument("--run", help="name of a run; else the newest")
    new.add_argument("--set", nargs="*", default=[], metavar="a.b=c", help="settings to override")
    return new


def _add_notebooks(commands):
    run = _command(commands, "run", _run, "run the notebooks by papermill")
    run.add_argument("notebook", choices=["all", *NOTEBOOKS])
    run.add_argument("--cell-timeout", type=int, metavar="SECONDS", help="end a notebook of which a cell takes longer")
    run.add_argument("--params", metavar="FILE", help="another file than params.yaml, with the same five keys")
    run.add_argument("--with-stdin", action="store_true", help="end when standard input is closed: with who started this")
    _command(commands, "params", _params, "print the settings as they are resolved")


def _add_models(commands):
    predict = _command(commands, "predict", _predict, "answer every picture of a folder into a CSV")
    predict.add_argument("folder")
    predict.add_argument("--out", default="answers.csv")
    predict.add_argument("--boxes", choices=["one", "all"], default="one",
                         help="all: a row for every box, numbered in the column `box`; else a row for every picture")
    predict.add_argument("--to-database", metavar="TABLE", help="write the answers into this table too")
    predict.add_argument("--dry-run", action="store_true", help="of --to-database: say what would change in the table")
    serve = _command(commands, "serve", _serve, "serve the newest finished run over HTTP")
    serve.add_argument("--port", type=int)
    promote = _command(commands, "promote", _promote,
                       "put a finished run into outputs/served, from which a running API takes it")
    promote.add_argument("which", nargs="?", default="", help="a run, or an alias of MLflow's registry such as champion")
    promote.add_argument("--to", type=Path, metavar="FOLDER", help="another served folder than outputs/served")
    _command(commands, "rollback", _rollback, "make the export current that was served before")
    _command(commands, "tracker", _tracker, "open the page of the tracker (MLflow) that tracking.uri names")


def _add_labels(commands):
    labels = _command(commands, "labels", _labels,
                      "labels from a file into the database, or out of it; corrections into your table")
    labels.add_argument("way", choices=["import", "export", "apply"],
                        help="apply: write the viewer's corrections into data.table; shows what would change first")
    labels.add_argument("file", nargs="?", help="of import and export; or a folder, for YOLO and LabelMe")
    labels.add_argument("--yes", action="store_true", help="of apply: do it")
    labels.add_argument("--add", action="store_true", help="of import: pictures that the table does not have become rows")
    labels.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    labels.add_argument("--format", default="csv", choices=FORMATS, help="docs/formats.md says what each keeps")
    labels.add_argument("--table", default="", help="another table than data.table; on export, instead of "
                                                    "the gathered labels")
    choose = _command(commands, "choose", _choose, "choose pictures of a folder to label next, for the viewer")
    choose.add_argument("folder", help="or hub:NUMBER, a data set version of the image hub")
    choose.add_argument("--number", type=int, default=20)


def _add_training(commands):
    search = _command(commands, "search", _search,
                      "find the settings that train best; the same command elsewhere helps, or goes on")
    search.add_argument("--workers", type=int, help="processes on this machine; else search.workers")
    search.add_argument("--trials", type=int, help="trainings in all; else search.trials")
    pretrain = commands.add_parser("pretrain", help="train the weights that ship, on generated pictures")
    pretrain.set_defaults(call=_pretrain)
    pretrain.add_argument("task")
    pretrain.add_argument("--set", nargs="*", default=[], metavar="a.b=c")


def find_job(arguments):
    """The job a command is about: its own words first, then params.yaml."""
    from lib import tasks

    values = parameters(arguments)
    return tasks.job(**values)


def find_finished(arguments, name=""):
    """The job of the newest finished run that a command is about, and that run: of any profile, unless --profile is given."""
    from lib import tasks
    from lib.storage import runs

    job = tasks.job(**_newest(arguments, name))
    run = runs.newest(job)
    print(f"{run} of {job.name}/{job.profile}", file=sys.stderr)
    return job, run


def _newest(arguments, name=""):
    """As `parameters`, with the profile of the newest finished run where none is given."""
    from lib.storage import runs

    values = parameters(arguments)
    values["run"] = name or values["run"]
    if not arguments.profile:
        values["profile"] = runs.newest_profile(values["task"], values["run"]) or values["profile"]
    return values


def parameters(arguments):
    """The five parameters of the notebooks, from the command's words and params.yaml."""
    other = getattr(arguments, "params", None)
    file = config.read_file(other)
    overrides = config.merge(config.nest(file["overrides"]), config.nest(config.parse_overrides(" ".join(arguments.set))))
    return {"task": arguments.task or file["task"], "profile": arguments.profile or file["profile"],
            "run": arguments.run if arguments.run is not None else file["run"], "overrides": overrides,
            "settings": file["settings"] if other else {}}


def _params(arguments):
    print(repr(find_job(arguments).params), end="")


def _run(arguments):
    if arguments.with_stdin:
        from lib.common.http import server

        server.end_with_stdin()
    job = find_job(arguments)  # a wrong setting is told before a kernel starts
    for number in NOTEBOOKS if arguments.notebook == "all" else [arguments.notebook]:
        where = execute(number, job, parameters(arguments), arguments.cell_timeout)
        print(f"{NOTEBOOKS[number]}: {where}")
    if arguments.notebook == "all":
        from lib import evaluation
        from lib.storage import runs

        print(evaluation.in_words(job, runs.newest(job)))
        print("now: make viewer (look through the answers), make serve (the API), make mlflow (the runs)")


def execute(number, job, values, seconds=None):
    """Run a notebook by papermill and keep it: 01 with the data, the others with their run. Returns where it lies.

    One that fails is kept under failed/, and Failed says which cell ended and how; so is one whose kernel died, or of
    which a cell took more than `seconds`.
    """
    from lib.storage import runs

    name = f"{NOTEBOOKS[number]}.ipynb"
    failed = job.outputs / "failed" / name
    for folder in (job.folder, failed.parent):
        files.require_writable(folder)
    working = failed.with_name(f".running-{name}")
    try:
        _execute(BOOKS / name, working, values, seconds)
    except Failed as error:
        raise Failed(error.kind, f"{error}\nthe notebook is kept in {failed}") from error.__cause__
    finally:
        if working.is_file() and sys.exc_info()[0]:
            working.replace(failed)
    failed.unlink(missing_ok=True)
    folder = job.folder if number == "01" else runs.newest(job).path("notebooks")
    first = job.folder / f"{NOTEBOOKS['01']}.ipynb"
    if number != "01" and first.is_file():
        files.write(folder / first.name, first.read_bytes())
    with files.writing(folder / name) as temporary:
        shutil.copyfile(working, temporary)
    working.unlink()
    return folder / name


def _execute(notebook, to, values, seconds):
    """Run a notebook by papermill into the file `to`; Failed says in a sentence why it ended."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from lib.common import notebook_output

    try:
        papermill.execute_notebook(notebook, to, values, engine_name=notebook_output.register_engine(), kernel_name="python3",
                                   execution_timeout=seconds, progress_bar=sys.stderr.isatty())
    except papermill.PapermillExecutionError as error:
        plain = error.ename in (*EXITS, "ValueError", "BadExport", "AssertionError")
        sentence = error.evalue if plain else f"{error.ename}: {error.evalue}"
        raise Failed(error.ename, f"{notebook.name}, cell {error.exec_count}: {sentence}") from error
    except (DeadKernelError, CellTimeoutError) as error:
        what = "its kernel died" if isinstance(error, DeadKernelError) else f"a cell did not end within {seconds} seconds"
        raise Failed(type(error).__name__, f"{notebook.name}: {what}; what ran is kept, run again") from error


def _predict(arguments):
    from lib.serving import answers_csv, image_list, prediction

    job, record = find_finished(arguments)
    every = arguments.boxes == "all"
    formats = tuple(job.params.api.formats)
    listing = image_list.list_images(arguments.folder, formats)
    predictor = prediction.load(record.path("export"), job.name)
    new, bad = answers_csv.write_csv(predictor, arguments.folder, arguments.out, job.params.data.workers,
                                     job.params.verify.decimals, compute=job.params.compute, every=every, formats=formats,
                                     max_bytes=job.params.api.max_bytes, max_pixels=job.params.api.max_pixels)
    print(f"{new} pictures answered into {arguments.out} by {record}, {bad} of them with an error")
    if listing.left_out:
        print(listing)
    if arguments.to_database:
        from lib.storage import answers
        from lib.tasks.contract import Served

        changes = answers.write_answers(job, arguments.to_database, Path(arguments.out), arguments.dry_run,
                                        Served.of(job).listed, every)
        print(f"{arguments.to_database}{' would be' if arguments.dry_run else ''}: {changes}")


def _serve(arguments):
    from lib.serving import api

    job, run = find_finished(arguments)
    settings = config.resolve_group("api", {**job.params.api.plain(), **({"port": arguments.port} if arguments.port else {})})
    api.serve(run.path("export"), settings)


def _promote(arguments):
    from lib.serving import api
    from lib.storage import runs

    name = arguments.which or parameters(arguments)["run"]
    if not name or runs.newest_profile(parameters(arguments)["task"], name):
        export = find_finished(arguments, name)[1].path("export")
    else:
        export = runs.export(find_job(arguments), name)  # an alias of the registry, or a name that is not there
    print(api.promote(export, arguments.to or served()))


def _tracker(arguments):
    from lib import tasks
    from lib.storage import runs

    job = tasks.job(**_newest(arguments))
    address = runs.tracker_uri(job)
    if address.startswith("http"):
        print(f"the tracker is at {runs.tracker_page(job, address)}")
        return 0
    page = runs.tracker_page(job, f"http://127.0.0.1:{os.environ.get('MLFLOW_PORT', '5000')}")
    print(f"once it is running, the runs are at {page}", flush=True)
    # One worker, and no jobs for traces: the page is for one person and comes up sooner.
    return _run_group([sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--backend-store-uri", address],
                      {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _run_group(command, environment):
    """Run a command to its end and return its exit status; whatever ends this process ends all that the command started."""
    import subprocess

    process = subprocess.Popen(command, start_new_session=True, env=environment)
    try:
        return process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            os.killpg(process.pid, signal.SIGKILL)


def _rollback(arguments):
    from lib.serving import api

    print(api.rollback(served(), find_job(arguments).name))


def served():
    """The folder of promoted exports."""
    return config.home() / "outputs" / "served"


def _labels(arguments):
    if arguments.way == "apply":
        return _apply(find_job(arguments), arguments.yes and not arguments.dry_run)
    if not arguments.file:
        raise ValueError(f"labels {arguments.way} needs the name of a file; for example labels {arguments.way} labels.csv")
    from lib.data import formats

    job = find_job(arguments)
    if arguments.way == "export":
        print(formats.export_labels(job, arguments.file, arguments.format, arguments.table))
    else:
        print(formats.import_labels(job, arguments.file, arguments.format, arguments.table, arguments.add, arguments.dry_run))


def _apply(job, write):
    from lib.data import write_back

    lines = write_back.apply(job, write)
    for line in lines:
        print(line)
    print(write_back.summary(lines, write) + ("" if write or not lines else "; nothing was written yet, --yes does it"))


def _search(arguments):
    from lib import tasks
    from lib.data import ingest
    from lib.training import search

    values = parameters(arguments)
    asked = {"trials": arguments.trials, "workers": arguments.workers}
    more = {"search": {"use": False} | {name: value for name, value in asked.items() if value is not None}}
    job = tasks.job(**values | {"overrides": config.merge(values["overrides"], more)})
    if not job.params.search.trials:
        raise ValueError("search.trials is 0; say how many trainings are to be tried: --trials 20")
    found = search.search_settings(job, ingest.read_labels(job))
    for name, figure in found.figures():
        found.record.keep(figure, name)
    print(found.trials.to_string(index=False))
    print(f"best: {json.dumps(found.best)}; to train with it: --set search.use=true ({found.record.path('best.json')})")


def _choose(arguments):
    from lib.evaluation import active_learning

    (job, run), folder = find_finished(arguments), arguments.folder
    if folder.startswith("hub:"):
        from lib.hub.datasets import source

        folder = source.unlabelled(job, folder.removeprefix("hub:"))
    print(active_learning.choose(job, run, folder, arguments.number))


def _pretrain(arguments):
    from lib.training import pretraining

    pretraining.pretrain(arguments.task, config.parse_overrides(" ".join(arguments.set)))


if __name__ == "__main__":
    sys.exit(main())
