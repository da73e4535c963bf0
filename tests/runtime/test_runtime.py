"""Runtimes, devices, and graphs that do not do what their card says."""

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from small_models import save_model
from undark import Enhancer
from undark.errors import DeviceError, ModelError, UsageError
from undark.graph import Signature
from undark.models import Glance, Scaling
from undark.runtime import RUNTIMES, Runtime, Session, open_graph


def one_node(kind, *, channels=3, height="h", output="enhanced", name="image", **attributes):
    """A graph of one node on the image."""
    size = ["n", channels, height, "w"]
    graph = helper.make_graph(
        [helper.make_node(kind, [name], [output], **attributes)],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, size)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_session_says_what_it_runs_on(make_model, runtime):
    session = open_graph(make_model().read_bytes(), runtime=runtime, threads=1)
    assert session.runtime == runtime
    assert session.device == "cpu"
    assert session.describe().startswith(runtime)
    assert session.describe().endswith("on cpu")


def test_runtimes_agree(make_model):
    path = make_model(tile=64, overlap=16)
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    first, second = (Enhancer(path, runtime=runtime, threads=1)(image) for runtime in RUNTIMES)
    assert np.abs(first.astype(int) - second).max() <= 1


def test_auto_takes_openvino_where_it_is_installed(make_model, monkeypatch):
    data = make_model().read_bytes()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert open_graph(data).runtime == "openvino"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert open_graph(data).runtime == "onnxruntime"
    with pytest.raises(DeviceError, match=r"pip install 'undark\[openvino\]'"):
        open_graph(data, runtime="openvino")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are told by Linux")
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_few_threads_may_run_on_any_core(runtime):
    # OpenVINO would bind them to the first cores, and so those of every other process.
    model = Enhancer("unet", runtime=runtime, threads=1)
    before, seen = os.sched_getaffinity(0), set()
    others = {thread.name for thread in Path("/proc/self/task").iterdir()}  # of other tests
    work = threading.Thread(target=model, args=(np.full((600, 600, 3), 12, np.uint8),))
    work.start()
    while work.is_alive():
        for thread in Path("/proc/self/task").iterdir():
            if thread.name in others:
                continue
            with contextlib.suppress(ProcessLookupError):
                seen.add(frozenset(os.sched_getaffinity(int(thread.name))))
        time.sleep(0.01)
    assert seen == {frozenset(before)}


def test_fast_is_near_exact_and_says_how_it_computes(make_model):
    path = make_model(tile=64, overlap=16)
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    exact, fast = (Enhancer(path, runtime="openvino", precision=p) for p in ("exact", "fast"))
    assert exact.describe().endswith("on cpu")
    # A processor without bfloat16 computes exactly, and then that is what it says.
    assert fast.describe().endswith(("on cpu", "on cpu, in bfloat16"))
    assert np.abs(exact(image).astype(int) - fast(image)).max() <= 4


def test_fast_without_openvino_says_that_nothing_is_gained(make_model, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.warns(RuntimeWarning, match=r"pip install 'undark\[openvino\]'"):
        assert open_graph(make_model().read_bytes(), precision="fast").runtime == "onnxruntime"


@pytest.mark.parametrize("device", ["cuda", "directml", "coreml"])
def test_a_device_that_is_not_there_is_told(make_model, monkeypatch, device):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=f"{device} is not there in the installed onnxruntime"):
        open_graph(make_model().read_bytes(), device=device)


def test_a_gpu_that_fails_falls_back_to_the_cpu_aloud(make_model, monkeypatch):
    """An onnxruntime that promises CUDA and does not have it."""
    promised = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime really has CUDA")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: promised)
    data = make_model().read_bytes()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert open_graph(data).device == "cpu"
        with pytest.raises(DeviceError, match="cuda cannot be used"):
            open_graph(data, device="cuda")
    (told,) = [str(item.message) for item in caught if item.category is RuntimeWarning]
    assert told.startswith("cuda cannot be used")
    assert told.endswith("the CPU is used")


@pytest.mark.parametrize(
    "options",
    [
        {"runtime": "tensorrt"},
        {"device": "tpu"},
        {"precision": "int8"},
        {"threads": 0},
        {"runtime": "openvino", "device": "cuda"},
        {"runtime": "onnxruntime", "precision": "fast"},
    ],
)
def test_senseless_options_are_refused(make_model, options):
    with pytest.raises(UsageError):
        open_graph(make_model().read_bytes(), **options)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("data", [b"", b"no graph at all"])
def test_bytes_that_are_no_graph_are_refused_in_one_line(runtime, data):
    with pytest.raises(ModelError, match=f"not a graph that {runtime} runs") as caught:
        open_graph(data, runtime=runtime)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("graph", "glance", "told"),
    [
        (one_node("Relu"), Glance(8, 8), "inputs are image; its card asks for glance, image"),
        (one_node("Relu", name="picture"), None, "inputs are picture; its card asks for image"),
        (one_node("Relu", output="out"), None, "outputs are out; its card asks for enhanced"),
        (one_node("Relu", channels=1), None, "'image' is any×1×any×any"),
        (one_node("Relu", height=64), None, "'image' is any×3×64×any"),
    ],
)
def test_a_graph_that_does_not_fit_its_card_is_refused(tmp_path, runtime, graph, glance, told):
    path = save_model(graph, tmp_path / "odd.onnx", glance, Scaling())
    with pytest.raises(ModelError, match=told) as caught:
        Enhancer(path, runtime=runtime)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_that_fails_is_one_line(tmp_path, runtime):
    """The card promises any multiple of 8; the graph cannot add its constant to most sizes."""
    graph = one_node("Relu")
    graph.graph.initializer.append(
        numpy_helper.from_array(np.zeros((1, 1, 24, 24), dtype=np.float32), "stuck")
    )
    graph.graph.node[0].output[0] = "kept"
    graph.graph.node.append(helper.make_node("Add", ["kept", "stuck"], ["enhanced"]))
    path = save_model(graph, tmp_path / "fails.onnx", None, Scaling())
    enhancer = Enhancer(path, runtime=runtime)
    assert enhancer(np.zeros((24, 24, 3), dtype=np.uint8)).shape == (24, 24, 3)
    with pytest.raises(DeviceError, match=f"{runtime} failed on cpu") as caught:
        enhancer(np.zeros((40, 40, 3), dtype=np.uint8))
    assert "\n" not in str(caught.value)


def test_values_that_are_no_numbers_are_an_error_and_no_black_photo(tmp_path):
    path = save_model(one_node("Log"), tmp_path / "log.onnx", None, Scaling())
    with pytest.raises(DeviceError, match="not numbers"):
        Enhancer(path)(np.zeros((20, 20, 3), dtype=np.uint8))


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space by RLIMIT_AS")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_too_little_memory_is_one_clear_line(make_model, runtime):
    code = f"""
        import resource
        import numpy as np
        from undark import Enhancer
        from undark.errors import DeviceError
        enhancer = Enhancer({str(make_model(tile=8000))!r}, runtime={runtime!r}, threads=1)
        image = np.zeros((4000, 4000, 3), dtype=np.uint8)
        enhancer(image[:64, :64])
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        limit = used + 620_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            enhancer(image)
        except DeviceError as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "out of memory" in run.stdout
    assert run.stdout.count("\n") == 1


class Doubling(Runtime):
    """A runtime of somebody's: whatever the file holds, it doubles."""

    name = "doubling"
    how_to_get = "write it"
    is_installed = True

    def devices(self):
        return ("cpu",)

    def open(self, model, *, device, threads, precision):
        session = Doubled()
        session.signature = Signature(
            {"image": (None, 3, None, None)}, {"enhanced": (None, 3, None, None)}
        )
        return session


class Doubled(Session):
    runtime, device = "doubling", "cpu"

    def _run(self, inputs, outputs):
        return dict.fromkeys(outputs, inputs["image"] * 2)

    def _version(self):
        return "1.0"


def test_a_runtime_of_another_package_is_loaded_when_asked_for(make_model, monkeypatch):
    point = EntryPoint("doubling", f"{__name__}:Doubling", "undark.runtimes")
    monkeypatch.setattr(
        "undark.runtime.entry_points",
        lambda group: EntryPoints([point] if group == point.group else []),
    )
    enhancer = Enhancer(make_model(glance=False), runtime="doubling")
    assert enhancer.describe() == "bright by doubling 1.0 on cpu"
    image = np.full((30, 40, 3), 20, np.uint8)
    np.testing.assert_array_equal(enhancer(image), image * 2)
    assert open_graph(make_model().read_bytes()).runtime in RUNTIMES
    with pytest.raises(UsageError, match="auto, onnxruntime, openvino, doubling, not 'other'"):
        open_graph(b"", runtime="other")


WATCHED = """
import sys

def watch(event, found):
    if event.startswith("socket.") or event in ("os.fork", "subprocess.Popen", "urllib.Request"):
        print(event, found, flush=True)

sys.addaudithook(watch)
import numpy as np
from undark import Enhancer

Enhancer("curve", runtime=sys.argv[1])(np.full((40, 60, 3), 12, np.uint8))
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_runtime_reports_to_nobody(runtime, tmp_path):
    """Not even the first time, at home, where its makers' own settings let it."""
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, runtime],
        check=True, capture_output=True, text=True,
        env=environment | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
