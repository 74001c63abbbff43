"""The empirical claims as data: statement, criteria, and the region in which each criterion holds.

The rules are fixed before the results of a run are seen, and applied by ``verdicts``; docs/claims/rules.md says why
each threshold is what it is. Keys are those of the article's statements, with a letter appended if a statement makes
several claims; H1 to H4 are claims of this project. Distances are debiased EWDs in units of one lost mode: the
least that the loss of one mode adds to the debiased EWD.
"""

from __future__ import annotations

from pwgan.report.claims.rules_comparison import COMPARISON_CLAIMS
from pwgan.report.claims.rules_critics import CRITIC_CLAIMS
from pwgan.report.claims.rules_own import OWN
from pwgan.report.claims.rules_primal import PRIMAL_CLAIMS

CLAIMS = (*OWN, *CRITIC_CLAIMS, *PRIMAL_CLAIMS, *COMPARISON_CLAIMS)
