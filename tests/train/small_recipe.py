"""Settings that make a whole run take a second or two."""

SMALL = (
    "net.widths=[8, 12]",
    "net.glance=16",
    "net.context=4",
    "data.crop=32",
    "data.batch=2",
    "fit.steps=6",
    "fit.warmup=2",
    "fit.validate_every=3",
    "fit.validate_on=2",
    "fit.precision=32-true",
)
