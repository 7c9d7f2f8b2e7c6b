"""How property tests run, on machines that have other things to do."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes, or takes to be made, says how busy the machine is, and nothing about the code: speed is
# judged in bench/. Some examples run keys through 200,000 rounds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
