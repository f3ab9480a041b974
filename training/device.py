"""What a fit computes on, for each of Keras's backends."""

import keras  # type: ignore[import-untyped]  # ships no annotations


def prepare_device() -> str:
    """Describe the device; on a GPU, compute in bfloat16 where that loses nothing."""
    backend = keras.backend.backend()
    gpus = keras.distribution.list_devices("gpu") if backend != "torch" else _torch_gpus()
    if gpus:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    return f"{len(gpus)} GPU, {backend}" if gpus else f"CPU, {backend}"


def _torch_gpus() -> list[str]:
    import torch  # type: ignore[import-not-found]  # only where Keras runs on it

    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
