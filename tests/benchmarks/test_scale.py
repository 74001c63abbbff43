"""The benchmark of scale: what it writes by hand is what a study would leave."""

import pandas as pd
import scale

from pwgan.report.aggregate import write_aggregates
from pwgan.report.frames import COLUMNS
from pwgan.status import status
from pwgan.study import parse_study


def test_made_up_results_are_those_of_a_finished_study(tmp_path):
    study = parse_study(scale.study_of(20))
    assert len(study.blocks) == 20
    scale.fill(study, tmp_path)
    results = tmp_path / "results/scale"
    assert status(study, results).counts["done"] == 20
    folders = [results / path for path in (*study.blocks, *study.references)]
    write_aggregates(folders, [results / f"data/{path}.safetensors" for path in study.data_cells], [], results)
    frames = {name: pd.read_parquet(results / f"{name}.parquet") for name in COLUMNS}
    for name, columns in COLUMNS.items():
        assert set(columns) <= set(frames[name].columns)
    assert len(frames["history"]) == 20 * scale.ROWS["history"]
    assert len(frames["measures"]) == 22 * scale.ROWS["measures"]
