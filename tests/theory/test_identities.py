"""What arithmetic settles: tables that would show a violation if there were one."""

from pwgan.theory import identities


def test_js_has_its_properties(monkeypatch):
    monkeypatch.setattr(identities, "PAIRS", 200)
    checks = identities.js_checks().set_index("check")["value"]
    assert (checks <= 1e-12).all()
    assert len(checks) == 4


def test_a_divergence_without_the_properties_is_seen(monkeypatch):
    monkeypatch.setattr(identities, "PAIRS", 50)
    # Twice the distance of the first weights and once of their order: not symmetric, not 0 for equal laws, unbounded.
    monkeypatch.setattr(identities, "jensen_shannon", lambda p, q: 3 * p[0] - q[0])
    assert (identities.js_checks()["value"] > 0.1).all()


def test_no_plan_is_cheaper_than_the_best_permutation(monkeypatch):
    monkeypatch.setattr(identities, "DIMENSIONS", (1, 3))
    table = identities.plans()
    assert len(table) == 10
    assert (abs(table["permutation"] - table["plan"]) <= 1e-9 * table["plan"]).all()
