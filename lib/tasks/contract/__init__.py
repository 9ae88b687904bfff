"""What a task must say of itself, and what it may say.

`Task` (task.py) holds the 20 names that every task has; as it stands, it classifies pictures. `Network` (network.py)
describes one trained network of a task. The optional parts (optional.py) say what the viewer, the audit, the API, the
figures and the pretraining may ask for; a task inherits those that it wants to change.
"""

from lib.tasks.contract.job import Job
from lib.tasks.contract.network import Network
from lib.tasks.contract.optional import (
           Auditable,
           Hierarchical,
           Located,
           OptionalPart,
           Outline,
           Pretrained,
           Reported,
           Reviewable,
           Served,
)
from lib.tasks.contract.task import Metric, RejectedRow, Task

__all__ = ["Auditable", "Hierarchical", "Job", "Located", "Metric", "Network", "OptionalPart", "Outline", "Pretrained",
           "RejectedRow", "Reported", "Reviewable", "Served", "Task"]
