"""The configuration: bytes of `iaconfig.xml` and of service descriptors -> one frozen `AgentConfig`.

`model` and `platform` say what can be configured. `parse` reads a whole configuration and collects every problem with
file and line; under it stand the readers of the sections (`listening`, `sending`, `storing`, `filters`, `descriptor`
with `working`, `reading_platform`), of single values (`values`), and the grammar's two uses (`grammar`). All of it is
pure: `files`, one floor up, is the only module that touches the disk. `show` gives the effective configuration back,
with secrets masked.
"""

from agent.config.model import AgentConfig
from agent.config.problem import ConfigFaults, Problem, Severity

__all__ = ["AgentConfig", "ConfigFaults", "Problem", "Severity"]
