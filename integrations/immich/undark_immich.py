# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx>=0.27", "undark"]
# ///
"""Brings dark photos of an Immich server to light: originals down, results up, stacked with them.

    undark_immich.py --server https://photos.example --album ALBUM_ID
    undark_immich.py --server https://photos.example ASSET_ID ASSET_ID ...

The API key is read from the environment variable IMMICH_API_KEY. It needs the permissions
asset.read, asset.download, asset.upload, stack.create, stack.read, tag.create and tag.asset, with
--album also album.read and albumAsset.create. Originals are never changed: each result is an asset
of its own, NAME.undark.SUFFIX. What has a result in its stack is left out, and so are results.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import undark
from undark.errors import UndarkError
from undark.io.walk import OUTPUT_MARK, Pair, plan
from undark.jobs import Failed, Options, enhance_one

PAGE = 250
DEVICE = "undark"


class Immich:
    """An Immich server.

    Args:
        server: Its address, with or without ``/api``.
        key: An API key.
    """

    def __init__(self, server: str, key: str) -> None:
        """Connect when it is first asked."""
        base = server.rstrip("/").removesuffix("/api") + "/api/"
        self._http = httpx.Client(
            base_url=base,
            headers={"x-api-key": key, "accept": "application/json"},
            timeout=httpx.Timeout(30.0, read=300.0, write=300.0),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, path, **options)
        if answer.is_error:
            answer.read()
            raise UndarkError(f"{method} {path}: {answer.status_code} {_reason(answer)}")
        return answer.json() if answer.content else None

    def asset(self, asset: str) -> dict[str, Any]:
        """What the server knows of an asset."""
        return self._call("GET", f"assets/{asset}")

    def album(self, album: str) -> Iterator[str]:
        """The ids of an album's photos."""
        page: int | None = 1
        while page is not None:
            asked = {"albumIds": [album], "type": "IMAGE", "page": page, "size": PAGE}
            found = self._call("POST", "search/metadata", json={**asked, "withStacked": True})
            yield from (item["id"] for item in found["assets"]["items"])
            following = found["assets"].get("nextPage")
            page = int(following) if following else None

    def stacked_with(self, asset: dict[str, Any]) -> list[dict[str, Any]]:
        """The assets in the same stack, itself included."""
        stack = asset.get("stack")
        return self._call("GET", f"stacks/{stack['id']}")["assets"] if stack else []

    def download(self, asset: str, path: Path) -> None:
        """Write an asset's original file to a path."""
        place = f"assets/{asset}/original"
        headers = {"accept": "application/octet-stream"}
        with self._http.stream("GET", place, headers=headers) as answer, path.open("wb") as file:
            if answer.is_error:
                answer.read()
                raise UndarkError(f"GET {place}: {answer.status_code} {_reason(answer)}")
            for piece in answer.iter_bytes():
                file.write(piece)

    def upload(self, path: Path, original: dict[str, Any]) -> tuple[str, bool]:
        """Make a new asset of a file, with the times of the original.

        Returns:
            Its id, and whether it is new: the server knows the same bytes again.
        """
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha1").hexdigest()
            file.seek(0)
            found = self._call(
                "POST",
                "assets",
                headers={"x-immich-checksum": checksum},
                data={
                    # Immich 1 and 2 need the first two; later ones do not look at them.
                    "deviceAssetId": f"{original['id']}{OUTPUT_MARK}",
                    "deviceId": DEVICE,
                    "fileCreatedAt": original["fileCreatedAt"],
                    "fileModifiedAt": original["fileModifiedAt"],
                    "filename": path.name,
                },
                files={"assetData": (path.name, file)},
            )
        return found["id"], found["status"] != "duplicate"

    def stack(self, first: str, second: str) -> None:
        """Stack two assets; the first is shown."""
        self._call("POST", "stacks", json={"assetIds": [first, second]})

    def tag(self, name: str, asset: str) -> None:
        """Give an asset a tag, which is made where it is missing."""
        (tag,) = self._call("PUT", "tags", json={"tags": [name]})
        self._call("PUT", f"tags/{tag['id']}/assets", json={"ids": [asset]})

    def add_to_album(self, album: str, asset: str) -> None:
        """Put an asset into an album."""
        self._call("PUT", f"albums/{album}/assets", json={"ids": [asset]})


def _reason(answer: httpx.Response) -> str:
    try:
        told = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        told = answer.reason_phrase
    return " ".join(str(told).split())[:200]


@dataclass
class Work:
    """What is done to each asset."""

    immich: Immich
    model: undark.Enhancer
    options: Options
    album: str | None
    original_first: bool
    tag: str

    def do(self, number: str) -> str:
        """Do the asset with this id.

        Returns:
            A line about it.

        Raises:
            UndarkError: It cannot be done.
        """
        asset = self.immich.asset(number)
        name = Path(asset["originalFileName"]).name
        if asset.get("type", "IMAGE") != "IMAGE":
            return f"{name}: is no photo; left out"
        if _is_result(name):
            return f"{name}: is a result; left out"
        if any(_is_result(item["originalFileName"]) for item in self.immich.stacked_with(asset)):
            return f"{name}: has a result in its stack; left out"
        with tempfile.TemporaryDirectory(prefix="undark-") as folder:
            source = Path(folder) / name
            self.immich.download(asset["id"], source)
            (planned,) = plan([source])
            receipt = enhance_one(Pair(source, planned.destination), self.model, self.options)
            if isinstance(receipt, Failed):
                raise receipt.error
            made, is_new = self.immich.upload(receipt.destination, asset)
        pair = (asset["id"], made) if self.original_first else (made, asset["id"])
        self.immich.stack(*pair)
        if self.tag:
            self.immich.tag(self.tag, made)
        if self.album is not None:
            self.immich.add_to_album(self.album, made)
        return f"{name}: {made}{'' if is_new else ' (was there already)'}"


def _is_result(name: str) -> bool:
    return OUTPUT_MARK in Path(name).suffixes[-2:-1]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description="Bring dark photos of an Immich server to light.",
        epilog="The API key is read from IMMICH_API_KEY.",
    )
    parser.add_argument("assets", nargs="*", metavar="ASSET", help="ids of assets")
    parser.add_argument("--server", required=True, metavar="URL", help="the server's address")
    parser.add_argument("--album", metavar="ID", help="all photos of this album")
    parser.add_argument("-m", "--model", default="default", help="a name from `undark models`")
    parser.add_argument("--strength", type=float, default=1.0, metavar="0..1")
    parser.add_argument("--exposure", type=float, default=0.0, metavar="EV")
    parser.add_argument(
        "--original-first", action="store_true", help="the stack shows the original"
    )
    parser.add_argument("--tag", default="undark", help="tag of results; empty for none")
    found = parser.parse_args(given)
    if bool(found.assets) == bool(found.album):
        parser.error("name ids of assets, or one album with --album")
    return found


def main() -> int:
    """Do what the command line asks for; 1 where an asset failed, 2 for wrong usage."""
    asked = arguments()
    key = os.environ.get("IMMICH_API_KEY", "")
    if not key:
        print("IMMICH_API_KEY is not set: make a key in Immich's settings", file=sys.stderr)
        return 2
    immich = Immich(asked.server, key)
    failed = 0
    try:
        adjust = undark.Adjust(strength=asked.strength, exposure=asked.exposure)
        model = undark.Enhancer(asked.model)
        options = Options(adjust=adjust)
        work = Work(immich, model, options, asked.album, asked.original_first, asked.tag)
        # The whole album first: results that are added to it must not come up in it.
        for number in list(immich.album(asked.album)) if asked.album else asked.assets:
            try:
                print(work.do(number), flush=True)
            except (UndarkError, httpx.HTTPError) as error:
                failed += 1
                print(f"{number}: {error}", file=sys.stderr)
    except (UndarkError, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        immich.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
