"""A format of lit that runs a test once for each checkpoint of a folder.

The test NAME.test becomes the tests NAME-<checkpoint>.test, in which %checkpoint is the checkpoint's folder.
"""

import copy
import os

import lit.formats
import lit.Test


class CheckpointTest(lit.Test.Test):
    """A test whose name is no file; its text is the file `script`."""

    def __init__(self, suite, path_in_suite, config, script):
        super().__init__(suite, path_in_suite, config, file_path=script)

    def getSourcePath(self):
        return self.file_path


class EachCheckpoint(lit.formats.ShTest):
    def __init__(self, folder):
        super().__init__(execute_external=False)
        self.checkpoints = {
            name: os.path.join(folder, name) for name in sorted(os.listdir(folder)) if os.path.exists(os.path.join(folder, name, "config.json"))
        }

    def getTestsForPath(self, suite, path_in_suite, lit_config, local_config):
        for test in super().getTestsForPath(suite, path_in_suite, lit_config, local_config):
            stem, ending = os.path.splitext(path_in_suite[-1])
            for name, checkpoint in self.checkpoints.items():
                config = copy.copy(local_config)
                config.substitutions = [*local_config.substitutions, ("%checkpoint", checkpoint)]
                yield CheckpointTest(suite, (*path_in_suite[:-1], f"{stem}-{name}{ending}"), config, test.getSourcePath())
