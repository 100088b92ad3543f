from tests.experiments.toys import *  # noqa: F403  (fixtures)
