"""The Python API: any type in, the same type out."""

import io
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import undark
from small_models import make_model
from undark import Enhancer, Photo, read_photo, write_photo
from undark.adjust import Adjust
from undark.errors import (
    DeviceError,
    InputError,
    ModelError,
    UndarkError,
    UnsupportedError,
    UsageError,
)

__all__ = ["make_model"]

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def model(make_model) -> Path:
    return make_model(tile=64, overlap=16)


@pytest.fixture(scope="module")
def enhancer(model) -> Enhancer:
    return Enhancer(model, threads=1)


def dark(height=50, width=70, channels=3, dtype=np.uint8):
    values = RNG.random((height, width, channels)) * 0.3
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_an_array_keeps_type_shape_and_alpha(enhancer, dtype, channels):
    array = dark(channels=channels or 1, dtype=dtype)
    if channels is None:
        array = array[..., 0]
    result = enhancer(array)
    assert result.dtype == array.dtype
    assert result.shape == array.shape
    assert not np.shares_memory(result, array)
    if channels in (2, 4):
        np.testing.assert_array_equal(result[..., -1], array[..., -1])
        assert result[..., :-1].mean() > 1.5 * array[..., :-1].mean()
    else:
        assert result.mean() > 1.5 * array.mean()


@pytest.mark.parametrize("kind", ["u2", "f2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_order_of_bytes_changes_nothing(enhancer, kind, channels):
    array = dark(channels=channels, dtype=np.dtype(kind))
    result = enhancer(array.astype(f">{kind}"))
    assert result.dtype == np.dtype(f">{kind}")
    np.testing.assert_array_equal(result, enhancer(array))


def test_a_tiff_of_the_other_order_of_bytes_comes_from_pillow(enhancer, tmp_path):
    array = dark(channels=1, dtype=np.uint16)[..., 0]
    tifffile.imwrite(tmp_path / "dark.tif", array.astype(">u2"), byteorder=">")
    with Image.open(tmp_path / "dark.tif") as image:
        assert image.mode == "I;16B"
        result, same = enhancer(image), enhancer(image, strength=0)
    assert result.mode == same.mode == "I;16B"
    np.testing.assert_array_equal(np.asarray(result), enhancer(array))
    np.testing.assert_array_equal(np.asarray(same), array)


@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from([np.uint8, np.uint16, np.float32]))
@settings(max_examples=30, deadline=None)
def test_any_size_works(enhancer, height, width, dtype):
    array = dark(height, width, dtype=dtype)
    result = enhancer(array)
    assert result.shape == array.shape
    assert result.dtype == array.dtype


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_extreme_shapes_work(enhancer, shape):
    assert enhancer(dark(*shape)).shape == (*shape, 3)


def test_views_work_and_sources_are_left_alone(enhancer):
    array = dark(60, 80)
    before = array.copy()
    array.setflags(write=False)
    flipped = enhancer(array[::-1, ::-1])
    np.testing.assert_array_equal(array, before)
    straight = enhancer(array)
    difference = np.abs(flipped[::-1, ::-1].astype(int) - straight)[8:-8, 8:-8]
    assert difference.max() <= 2


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int32),
        np.zeros((4, 4, 3), bool),
        np.full((4, 4, 3), 255.0),
    ],
)
def test_arrays_of_another_kind_are_refused(enhancer, array):
    with pytest.raises(UsageError, match="array must"):
        enhancer(array)


def test_other_types_are_refused(enhancer):
    with pytest.raises(UsageError, match="cannot enhance a list"):
        enhancer([[1, 2], [3, 4]])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_a_pil_image_keeps_mode_size_and_info(enhancer, mode):
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1}[mode]
    array = dark(channels=channels, dtype=np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(array[..., 0] if channels == 1 else array)
    assert image.mode == mode
    image.info["icc_profile"] = b"a profile"
    result = enhancer(image)
    assert (result.mode, result.size) == (mode, image.size)
    assert result.info == image.info
    assert np.asarray(result).mean() > 1.2 * np.asarray(image).mean()


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [
        ("1", "L"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("La", "LA"),
        ("RGBa", "RGBA"),
        ("RGBX", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
    ],
)
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_pil_image_of_another_mode_becomes_what_pillow_makes_of_it(
    enhancer, mode, becomes, strength
):
    colour = Image.fromarray(dark() + np.uint8(10))
    image = colour.convert("RGBA").convert(mode) if mode == "RGBa" else convert(colour, mode)
    image.info["icc_profile"] = b"a profile"
    result = enhancer.enhance(image, strength=strength)
    assert (result.mode, result.size) == (becomes, image.size)
    expected = enhancer.enhance(np.asarray(image.convert(becomes)), strength=strength)
    np.testing.assert_array_equal(np.asarray(result), expected)
    assert ("icc_profile" in result.info) == (mode != "CMYK")


def convert(colour: Image.Image, mode: str) -> Image.Image:
    if mode in ("La", "PA"):
        return colour.convert("LA" if mode == "La" else "P").convert(mode)
    return colour.convert(mode)


def test_a_palette_with_transparency_keeps_it(enhancer):
    image = Image.fromarray(dark()).quantize(16)
    image.info["transparency"] = 3
    result = enhancer(image)
    assert result.mode == "RGBA"
    np.testing.assert_array_equal(
        np.asarray(result)[..., 3], np.asarray(image.convert("RGBA"))[..., 3]
    )


@pytest.mark.parametrize(("mode", "advice"), [("F", "white level"), ("I", "I;16"), ("LAB", "Cms")])
def test_a_pil_image_that_says_too_little_is_refused_with_advice(enhancer, mode, advice):
    with pytest.raises(UnsupportedError, match=f"mode {mode}; .*{advice}"):
        enhancer(Image.new(mode, (8, 8)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["array", "photo", "batch", "list"])
def test_what_is_no_number_is_refused_in_one_line(enhancer, value, kind):
    array = dark(dtype=np.float32)
    array[3, 4, 1] = value
    given = {"array": array, "photo": Photo(array), "batch": array[None], "list": [array]}[kind]
    with pytest.raises(UsageError, match="1 of its values") as caught:
        enhancer(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_batch_gives_what_each_of_it_gives(enhancer, channels, dtype):
    batch = np.stack([dark(channels=channels, dtype=dtype) for _ in range(3)])
    fractions = []
    result = enhancer.enhance(batch, progress=fractions.append)
    assert (result.shape, result.dtype) == (batch.shape, batch.dtype)
    for one, source in zip(result, batch, strict=True):
        np.testing.assert_array_equal(one, enhancer(source))
    assert fractions == [pytest.approx((i + 1) / 3) for i in range(3)]


def test_a_list_gives_a_list_of_what_each_gives(enhancer, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(dark()).save(path)
    array, image = dark(), Image.fromarray(dark())
    result = enhancer([path, array, image, path.read_bytes()])
    assert [type(item) for item in result] == [Photo, np.ndarray, Image.Image, bytes]
    np.testing.assert_array_equal(result[1], enhancer(array))
    assert enhancer([]) == []


def test_open_files_are_read(enhancer, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(dark()).save(path)
    expected = enhancer(path).pixels
    with path.open("rb") as file:
        np.testing.assert_array_equal(enhancer(file).pixels, expected)
    np.testing.assert_array_equal(enhancer(io.BytesIO(path.read_bytes())).pixels, expected)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with (tmp_path / "bad.png").open("rb") as file, pytest.raises(InputError, match=r"bad\.png"):
        enhancer(file)
    with pytest.raises(UsageError, match="'rb'"):
        enhancer(io.StringIO("text"))


def test_a_limit_of_pixels_is_kept(enhancer):
    assert enhancer.enhance(dark(20, 30), max_pixels=600).shape == (20, 30, 3)
    for photo in (dark(20, 31), [dark(20, 31)], Photo(dark(20, 31))):
        with pytest.raises(UnsupportedError, match="31×20 pixels, more than the limit of 600"):
            enhancer.enhance(photo, max_pixels=600)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp", ".avif", ".heic"])
def test_a_file_of_more_pixels_is_refused_by_its_header(enhancer, tmp_path, suffix):
    path = tmp_path / f"large{suffix}"
    write_photo(Photo(dark(64, 80)), path)
    with pytest.raises(UnsupportedError, match=r"large.*80×64 pixels, more than the limit of 5000"):
        enhancer.enhance(path, max_pixels=5000)
    with pytest.raises(UnsupportedError, match="more than the limit of 5000"):
        read_photo(path, max_pixels=5000)
    # Cut right behind its header, it is still refused for its size, so nothing was decoded.
    data = path.read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])
    if suffix in (".png", ".jpg", ".bmp"):
        with pytest.raises(UnsupportedError, match="more than the limit of 5000"):
            read_photo(tmp_path / f"cut{suffix}", max_pixels=5000)
    assert read_photo(path, max_pixels=5120).width == 80


def test_what_is_asked_may_come_as_an_adjust(enhancer):
    array = dark()
    expected = enhancer.enhance(array, strength=0.5, exposure=1.0)
    asked = Adjust(strength=0.5, exposure=1.0)
    np.testing.assert_array_equal(enhancer.enhance(array, adjust=asked), expected)
    other = enhancer.enhance(array, adjust=Adjust(strength=0.9, exposure=1.0), strength=0.5)
    np.testing.assert_array_equal(other, expected)
    with pytest.raises(TypeError, match="strenth"):
        enhancer.enhance(array, strenth=0.5)


def test_a_model_is_not_asked_for_what_it_cannot_do(enhancer):
    with pytest.raises(UsageError, match="bright cannot be asked for denoise"):
        enhancer.enhance(dark(), denoise=0.5)


def test_an_enhancer_can_be_made_of_any_graph(enhancer):
    def brighter(inputs, outputs):
        assert outputs == ["enhanced"]
        return {"enhanced": inputs["image"] * 2}

    own = Enhancer(graph=brighter, card=replace(enhancer.card, glance=None))
    array = dark(150, 170, dtype=np.float32)
    np.testing.assert_allclose(own(array), array * 2, atol=1e-6)
    assert "own" in repr(own)
    bad = Enhancer(graph=lambda inputs, _: {"enhanced": inputs["image"] * np.nan}, card=own.card)
    with pytest.raises(DeviceError, match="the graph gave values that are not numbers"):
        bad(array)
    small = Enhancer(
        graph=lambda inputs, _: {"enhanced": inputs["image"][..., 1:].copy()}, card=own.card
    )
    with pytest.raises(DeviceError, match="changes the size"):
        small(array)
    for options in ({"graph": brighter}, {"card": own.card}):
        with pytest.raises(UsageError, match="a graph needs a card"):
            Enhancer(**options)


@pytest.mark.parametrize("used", [False, True])
def test_an_enhancer_can_be_pickled_by_what_made_it(model, used):
    enhancer = Enhancer(model, threads=1, runtime="onnxruntime")
    array = dark()
    if used:
        enhancer(array)
    again = pickle.loads(pickle.dumps(enhancer))
    assert repr(again) == repr(enhancer)
    np.testing.assert_array_equal(again(array), enhancer(array))
    assert len(pickle.dumps(enhancer)) < 5000


def test_an_enhancer_can_be_closed(model):
    with Enhancer(model, threads=1) as enhancer:
        assert "closed" not in repr(enhancer)
        enhancer(dark())
    enhancer.close()
    assert "closed" in repr(enhancer)
    for array in (dark(), dark(dtype=np.float32)):
        with pytest.raises(UsageError, match="closed"):
            enhancer(array)


def test_its_repr_says_model_runtime_device_and_threads(model):
    enhancer = Enhancer(model, threads=2, runtime="onnxruntime")
    assert repr(enhancer) == "Enhancer('bright', runtime='onnxruntime', device='cpu', threads=2)"


@pytest.mark.parametrize(("kind", "tag", "value"), [("JPEG", 0x0112, 6), ("TIFF", 0x010F, "Brand")])
def test_a_pil_images_exif_stays_and_its_orientation_is_not_applied(enhancer, kind, tag, value):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[tag] = value
    Image.fromarray(dark()).save(file, kind, exif=exif)
    with Image.open(file) as image:
        result = enhancer(image)
        assert result.size == image.size == (70, 50)
    written = io.BytesIO()
    result.save(written, "JPEG", exif=result.info["exif"])
    with Image.open(written) as again:
        assert again.getexif()[tag] == value


def test_a_photo_keeps_all_that_it_carries(enhancer):
    pixels = dark(dtype=np.uint16)
    photo = Photo(
        pixels=pixels,
        alpha=pixels[..., 0].copy(),
        icc=b"icc",
        exif=b"exif",
        xmp=b"xmp",
        format="PNG",
    )
    result = enhancer(photo)
    assert result.pixels.dtype == np.uint16
    assert result.alpha is photo.alpha
    assert (result.icc, result.exif, result.xmp, result.format) == (b"icc", b"exif", b"xmp", "PNG")


def test_a_path_gives_a_photo_that_can_be_written(enhancer, tmp_path):
    source = tmp_path / "nächt 夜.png"
    Image.fromarray(dark()).save(source)
    before = source.read_bytes()
    for spelled in (source, str(source)):
        photo = enhancer(spelled)
        assert isinstance(photo, Photo)
        assert photo.format == "PNG"
    undark.write_photo(photo, tmp_path / "light.png")
    with Image.open(tmp_path / "light.png") as written:
        np.testing.assert_array_equal(np.asarray(written), photo.pixels)
    assert source.read_bytes() == before


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_bytes_give_bytes_of_the_same_format(enhancer, kind):
    file = io.BytesIO()
    Image.fromarray(dark()).save(file, kind)
    result = enhancer(file.getvalue())
    assert isinstance(result, bytes)
    with Image.open(io.BytesIO(result)) as image:
        assert image.format == kind
        assert image.size == (70, 50)


def test_a_missing_file_is_named(enhancer, tmp_path):
    with pytest.raises(InputError, match=r"none\.jpg"):
        enhancer(tmp_path / "none.jpg")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_strength_zero_is_the_source(enhancer, dtype):
    array = dark(dtype=dtype)
    result = enhancer.enhance(array, strength=0)
    np.testing.assert_array_equal(result, array)
    assert result.dtype == dtype


def test_strength_zero_is_the_source_for_files_too(enhancer):
    file = io.BytesIO()
    Image.fromarray(dark()).save(file, "JPEG", quality=70)
    assert enhancer.enhance(file.getvalue(), strength=0) == file.getvalue()
    with Image.open(file) as image:
        same = enhancer.enhance(image, strength=0)
        assert same is not image
        np.testing.assert_array_equal(np.asarray(same), np.asarray(image))


def test_strength_runs_evenly_from_source_to_effect(enhancer):
    array = dark(90, 90, dtype=np.float32)
    full = enhancer(array)
    previous = array
    for strength in (0.25, 0.5, 0.75, 1.0):
        result = enhancer.enhance(array, strength=strength)
        np.testing.assert_allclose(result, array + strength * (full - array), atol=1e-5)
        assert ((result - previous) * np.sign(full - array) >= -1e-6).all()
        previous = result


def test_exposure_follows_and_blows_nothing(enhancer):
    array = np.repeat(np.linspace(0, 0.6, 256, dtype=np.float32)[None, :, None], 80, axis=0)
    array = np.repeat(array, 3, axis=2)
    neutral = enhancer(array)
    previous = None
    for stops in (-4, -1, -0.3, 0, 0.3, 1, 4):
        result = enhancer.enhance(array, exposure=stops)
        assert (result[neutral < 0.999] < 1).all()
        if previous is not None:
            assert (result - previous >= -1e-6).all()
            assert result.mean() > previous.mean()
        previous = result


def test_exposure_works_without_the_network(enhancer):
    array = dark()
    result = enhancer.enhance(array, strength=0, exposure=1)
    assert 1.3 * array.mean() < result.mean() < 2 * array.mean()


@pytest.mark.parametrize(
    "options",
    [
        {"strength": -0.1},
        {"strength": 1.1},
        {"strength": float("nan")},
        {"exposure": 4.1},
        {"exposure": float("inf")},
        {"exposure": float("nan")},
    ],
)
def test_values_out_of_range_are_refused(enhancer, options):
    (name,) = options
    with pytest.raises(UsageError, match=f"{name} must be between"):
        enhancer.enhance(dark(), **options)


def test_grey_stays_grey(enhancer):
    pixels = np.repeat(dark(channels=1), 3, axis=2)
    result = enhancer.enhance(Photo(pixels=pixels, gray=True), strength=0.7, exposure=0.4)
    assert result.gray
    assert np.ptp(result.pixels, axis=2).max() == 0


def test_a_dark_16_bit_gradient_keeps_its_levels(enhancer):
    ramp = np.linspace(0, 2000, 1500).astype(np.uint16)
    array = np.repeat(np.repeat(ramp[None, :, None], 40, axis=0), 3, axis=2)
    assert len(np.unique(enhancer(array)[20])) > 1000


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_a_photo_that_is_well_lit_comes_back_bit_for_bit_and_is_not_restored(
    monkeypatch, precision
):
    bright = (105 + 0.55 * data.astronaut()).astype(np.uint16) * 257
    enhancer = Enhancer("relight", runtime="openvino", precision=precision)

    def restore(*args, **options):
        raise AssertionError("restored")

    monkeypatch.setattr("undark.modes.relight.run_tiles", restore)
    np.testing.assert_array_equal(enhancer(bright), bright)
    with pytest.raises(AssertionError, match="restored"):
        enhancer(bright // 16)


def test_options_are_keyword_only(enhancer):
    with pytest.raises(TypeError):
        enhancer.enhance(dark(), 0.5)
    with pytest.raises(TypeError):
        undark.enhance(dark(), "default")


def test_the_function_does_as_the_class_and_keeps_the_model(model, enhancer, monkeypatch):
    array = dark()
    np.testing.assert_array_equal(undark.enhance(array, model=model, threads=1), enhancer(array))

    def again(*args, **options):
        raise AssertionError("loaded again")

    monkeypatch.setattr("undark.engine.enhancer.open_graph", again)
    undark.enhance(array, model=str(model), threads=1)


def test_a_model_written_anew_is_loaded_anew(make_model):
    array = dark()
    first, second = make_model(), make_model(glance=False)
    before = undark.enhance(array, model=first)
    for suffix in (".onnx", ".json"):
        first.with_suffix(suffix).write_bytes(second.with_suffix(suffix).read_bytes())
    after = undark.enhance(array, model=first)
    assert np.abs(before.astype(int) - after).max() > 10


def test_threads_may_share_an_enhancer(enhancer):
    arrays = [dark(40 + 7 * index, 90) for index in range(8)]
    expected = [enhancer(array) for array in arrays]
    barrier = threading.Barrier(4)

    def work(array):
        barrier.wait(timeout=30)
        return enhancer(array)

    with ThreadPoolExecutor(4) as pool:
        for result, wanted in zip(pool.map(work, arrays), expected, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_the_enhancer_says_what_it_is(enhancer, model):
    assert enhancer.card.name == "bright"
    assert enhancer.device == "cpu"
    assert enhancer.runtime in enhancer.describe()
    with pytest.raises(ModelError, match="no model named"):
        Enhancer("nonesuch")


def test_the_public_names_are_there():
    for name in undark.__all__:
        assert getattr(undark, name) is not None
        assert name in dir(undark)
    assert issubclass(undark.errors.ModelError, UndarkError)
    assert undark.models.names()
    with pytest.raises(AttributeError, match="nonesuch"):
        undark.nonesuch  # noqa: B018


def test_import_is_light():
    code = (
        "import sys, undark; undark.__version__;"
        "heavy = {'numpy', 'cv2', 'PIL', 'onnxruntime', 'openvino', 'torch'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_enhancing_needs_no_torch(model):
    code = (
        "import sys; sys.modules['torch'] = None; import numpy, undark;"
        f"undark.enhance(numpy.zeros((9, 9, 3), 'uint8'), model={str(model)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
