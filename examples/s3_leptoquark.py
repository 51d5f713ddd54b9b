"""An S3 leptoquark at tree level: two coefficients of the SMEFT, written as a WCxf file."""

import json


def matching(point):
    """Writes lq1_2223 and lq3_2223 in 1/GeV^2, in the Warsaw basis at the scale M_S3 (arXiv:1603.04993)."""
    k = point["y_bmu"] * point["y_smu"] / point["M_S3"] ** 2
    values = {"lq1_2223": 3 / 4 * k, "lq3_2223": 1 / 4 * k}
    content = {"eft": "SMEFT", "basis": "Warsaw", "scale": point["M_S3"], "values": values}
    (point.folder / "s3.json").write_text(json.dumps(content))
    return values
