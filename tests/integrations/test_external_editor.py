"""undark as the external editor of darktable and Lightroom: a TIFF of 16 bits, changed in place."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from around import ROOT

from undark.io.metadata.icc import cicp_profile
from undark.io.metadata.xmp import properties, with_properties
from undark.io.photo import read_photo
from undark.io.record import find_record
from undark.photo import Cicp

XMP = "http://ns.adobe.com/xap/1.0/"


def edit(path: Path) -> subprocess.CompletedProcess[str]:
    """Call the editor as these programs do: a program, and nothing but a file."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, _, function = scripts["undark-in-place"].partition(":")
    call = f"from {module} import {function}; {function}()"
    return subprocess.run(
        [sys.executable, "-c", call, str(path)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("compression", "order"), [(None, "<"), ("zlib", ">")])
def test_depth_profile_and_metadata_stay(
    tmp_path: Path, compression: str | None, order: str
) -> None:
    path = tmp_path / "DSC 0001-Edit.tif"
    rows, columns = np.mgrid[0:60, 0:90]
    # Levels that 8 bits could not tell apart, in the darkest hundredth.
    dark = np.stack([rows * 7 + columns, rows * 5 + columns, rows + columns * 3], 2)
    profile = cicp_profile(Cicp(12, 13))
    packet = with_properties(None, XMP, "xmp", {"Rating": "4", "Label": "Night"})
    tifffile.imwrite(
        path,
        dark.astype(np.uint16),
        byteorder=order,
        photometric="rgb",
        compression=compression,
        predictor=compression is not None,
        iccprofile=profile,
        resolution=(240, 240),
        resolutionunit="INCH",
        software="Adobe Photoshop Lightroom Classic",
        metadata=None,
        extratags=[(271, 2, 0, "Maker", True), (700, 1, len(packet), packet, True)],
    )
    done = edit(path)
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    with tifffile.TiffFile(path) as file:
        (page,) = file.pages
        after = page.asarray()
        tags = {name: page.tags[name].value for name in ("Make", "Software", "XResolution")}
        assert page.tags["InterColorProfile"].value == profile
    assert after.dtype == np.uint16
    assert after.shape == dark.shape
    assert after.mean() > 4 * dark.mean()
    assert len(np.unique(after)) > 256
    assert tags["Make"] == "Maker"
    assert tags["Software"].startswith("Adobe")
    assert tags["XResolution"][0] / tags["XResolution"][1] == 240
    photo = read_photo(path)
    assert properties(photo.xmp, XMP) == {"Rating": "4", "Label": "Night"}
    assert find_record(path) is not None
    before = path.read_bytes()
    again = edit(path)
    assert again.returncode == 0
    assert "made in this way already" in again.stderr
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_edited_stays(tmp_path: Path) -> None:
    path = tmp_path / "torn.tif"
    path.write_bytes(b"II*\0torn")
    done = edit(path)
    assert done.returncode == 1
    assert "torn.tif" in done.stderr
    assert path.read_bytes() == b"II*\0torn"
