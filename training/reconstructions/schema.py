"""The columns of a reconstruction set: one row an image."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("setting", pa.string(), metadata={"about": "name of the setting, unique in the set"}),
        pa.field("dataset", pa.string()),
        pa.field("image", pa.string(), metadata={"about": "name of the original in its data set"}),
        pa.field("split", pa.string(), metadata={"about": "train, validation or test, by original"}),
        pa.field("label", pa.int32()),
        pa.field("class", pa.string()),
        pa.field("label_used", pa.int32(), metadata={"about": "the label that the attack used or found, or -1"}),
        pa.field("victim", pa.string()),
        pa.field("trained", pa.bool_()),
        pa.field("mode", pa.string(), metadata={"about": "augmentation policies on the client's image, or none"}),
        pa.field("defense", pa.string(), metadata={"about": "on the update"}),
        pa.field("attack", pa.string()),
        pa.field("iterations", pa.int32(), metadata={"about": "0 for a closed form"}),
        pa.field("batch", pa.int32(), metadata={"about": "images the client held"}),
        pa.field("batchnorm", pa.string()),
        pa.field("local_steps", pa.int32(), metadata={"about": "0 for a gradient, else steps of local training"}),
        pa.field("client_seed", pa.int64()),
        pa.field("status", pa.string(), metadata={"about": "done or diverged"}),
        pa.field("objective", pa.float64(), metadata={"about": "of the winning start, without priors"}),
        pa.field("psnr", pa.float64(), metadata={"about": "dB, 8-bit RGB, against the original before any policy"}),
        pa.field("original", pa.binary(), metadata={"about": "PNG"}),
        pa.field("reconstruction", pa.binary(), metadata={"about": "PNG"}),
    ]
)
