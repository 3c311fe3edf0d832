"""The merged image tower in ONNX Runtime and OpenVINO.

A process of its own writes the model's file with PyTorch, so that the memory of the process that is timed is the engine's.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

THREADS = len(os.sched_getaffinity(0))


class CannotRun(Exception):
    """Why an engine does not run a mode on this machine."""


def export(engine, arch, batch, path):
    """Writes the image tower as the engine reads it; runs in a process of its own."""
    import torch

    from adapted import model_of, size_of

    torch.manual_seed(0)
    model = model_of(arch, adapters=False).eval()
    pixels = torch.randn(batch, 3, size_of(model), size_of(model))
    # The fast path of attention is one operation that exporters do not know.
    torch.backends.mha.set_fastpath_enabled(False)
    if engine == "onnx":
        torch.onnx.export(model.visual, (pixels,), path, input_names=["pixels"], output_names=["out"], dynamo=True)
    else:
        import openvino

        converted = openvino.convert_model(model.visual, example_input=pixels, input=list(pixels.shape))
        openvino.save_model(converted, path, compress_to_fp16=False)


def check_openvino(precision):
    import openvino

    if precision == "bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        # A batch of 32 took ViT-B/32 two minutes where f32 took three seconds.
        raise CannotRun("OpenVINO reports no bf16 support on this processor, and emulates it at a small fraction of f32's speed")


class Work:
    """What is timed: `run()` does it once."""

    def __init__(self, args, mode):
        if mode.engine == "openvino":
            check_openvino(mode.precision)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "visual.onnx" if mode.engine == "onnx" else "visual.xml")
            command = [mode.engine, args.arch, str(args.batch), path]
            program = "import sys, merged; merged.export(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])"
            here = pathlib.Path(__file__).parent
            subprocess.run([sys.executable, "-c", program, *command], check=True, cwd=here, stdout=sys.stderr)
            self.call, shape = self.onnx(path) if mode.engine == "onnx" else self.openvino(path, mode.precision)
        self.pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    def onnx(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.version = f"onnxruntime {onnxruntime.__version__}"
        return lambda pixels: session.run(None, {"pixels": pixels}), session.get_inputs()[0].shape

    def openvino(self, path, precision):
        import openvino

        core = openvino.Core()
        settings = {
            # One batch at a time, on all processors.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": THREADS,
            "INFERENCE_PRECISION_HINT": precision,
        }
        compiled = core.compile_model(path, "CPU", settings)
        self.version = f"openvino {openvino.__version__}"
        request = compiled.create_infer_request()
        return lambda pixels: request.infer([pixels], share_inputs=True), list(compiled.input(0).shape)

    def run(self):
        self.call(self.pixels)

    def finish(self):
        """Nothing is queued."""
