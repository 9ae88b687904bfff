"""`python -m lib.common.notebook_app NOTEBOOK [voila's options] [--NotebookApp.views=N]`"""

from lib.common.notebook_app.app import NotebookApp

if __name__ == "__main__":
    NotebookApp.launch_instance()
