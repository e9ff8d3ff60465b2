"""What a request may be at most. All of it stands in the OpenAPI document.

Not for: what one base can draw, which the engine refuses by itself.
"""

MAX_PROMPT_CHARACTERS = 32_000
MAX_PICTURES = 16
"""Of one request."""
MAX_SEALS = 16
MAX_STRENGTH_CHARACTERS = 2_000
MAX_STEPS = 150
MAX_GUIDANCE = 100.0
MIN_SIDE_PX, MAX_SIDE_PX = 8, 2048
MAX_SEED = 2**53 - 1
"""The largest whole number that every JSON reader keeps."""
MAX_WAIT_S = 3600.0
MAX_ANSWER_WAIT_S = 600.0
"""For which an answer is held back until what was ordered is finished."""
MAX_NAME_CHARACTERS = 100
MAX_WORD_CHARACTERS = 100
MAX_TENANT_CHARACTERS = 200
MAX_SUGGESTED = 20
MAX_SETTINGS_CHARACTERS = 32_000
"""Of a training's settings, as JSON."""

MAX_QUOTA = 2**31 - 1
MAX_QUOTA_BYTES = 2**53 - 1
MAX_DAYS = 36_500.0
"""Of a key's life."""
MAX_KEPT_MINUTES = 100_000.0
"""Of an old key's, once there is another in its place."""
MAX_STUDY_PROMPTS, MAX_STUDY_SEEDS, MAX_STUDY_STEPS = 16, 4, 50
"""Of one study; a training may have to wait for the one that is at work."""
MAX_FEW_PROMPTS, MAX_FEW_SEEDS = 8, 2
"""Of one place of a sweep, and of a look at seals in company."""
MAX_CELLS, MAX_AXIS_VALUES, MAX_SWEPT = 48, 24, 192
"""Places of a sweep, values of its axis, and pictures in all that call the seal."""
MAX_COMPANY = 4
"""Seals that are looked at together."""
MAX_LOOK_CHARACTERS = 1_000
"""Of a prompt whose words are looked at."""

MAX_TRAINING = {
    "num_steps": 10_000,
    "batch_size": 16,
    "gradient_accumulation": 16,
    "rank": 320,
    "num_vectors": 64,
    "prior_batch_size": 16,
    "prior_pictures": 400,
    "num_checkpoints_scored": 10,
}
"""What settings of a training that is handed in may be at most: each costs a worker's time or memory."""
MAX_PREVIEW_PROMPTS = 16
MAX_PREVIEWS, MAX_CHECKPOINTS = 400, 100
"""Of one training, in all its steps: each costs a picture's time, or a file on the worker's disk."""

MAX_BODY_BYTES = 1 << 20
"""Of a request that uploads nothing."""
MAX_SEAL_BYTES = 512 << 20
MAX_PICTURE_BYTES = 32 << 20
MAX_PICTURE_SET_BYTES = 256 << 20
MAX_LOOSE_FILES = 400
"""Pictures and captions of a training that come one by one."""
MAX_TEXT_CHARACTERS = 2 << 20
"""In a picture whose recipe is asked for."""
MULTIPART_BYTES = 64 << 10
"""What an upload has around its file."""
MAX_HEADER_BYTES = 32 << 10

HEADERS_WITHIN_S = 20.0
"""Of a connection that was made, or on which something came."""
BODY_PAUSE_S = 20.0
"""Between two pieces of a body."""
MIN_BODY_BYTES_S = 1024.0
"""The pace below which a body is not waited for any longer, over each `BODY_PAUSE_S` that it was waited for."""
SEND_WITHIN_S = 60.0
"""For a client to take a piece of an answer."""
PIECE_BYTES = 64 << 10
"""Of an answer: the next goes out when the client has room for it."""
MAX_WHOLE_FILES = 4
"""On their way to one tenant at once, each of them in memory."""
STEP_PAUSE_S = 0.25
"""Between two steps of a picture of which who listens is told: eyes need no more, and each costs some .3 ms."""

MAX_WAITING_PICTURES = 64
"""Of one tenant, not finished yet."""
MAX_KEPT_BYTES = 256 << 20
"""Of finished pictures that can still be fetched; the oldest go first, of the tenant who has most of them."""
MAX_KEPT_ORDERS = 2_000
"""Likewise."""

INSPECT_WITHIN_S = 60
INSPECT_BYTES = 4 << 30
"""Memory that one uploaded file may cost beside what the program itself takes."""
BASE_WITHIN_S = 300
BASE_BYTES = 64 << 30
"""Of the process that holds the base to answer questions about it, the base with it."""
MAX_INSPECTIONS = 16
"""Waiting or under way, of all tenants."""

UPLOAD_BYTES = {
    "/v1/seals": MAX_SEAL_BYTES + MULTIPART_BYTES,
    "/v1/picture-sets/check": MAX_PICTURE_SET_BYTES + MULTIPART_BYTES,
    "/v1/trainings": MAX_PICTURE_SET_BYTES + MULTIPART_BYTES,
    "/v1/recipes": MAX_PICTURE_BYTES + MULTIPART_BYTES,
    "/sdapi/v1/png-info": MAX_PICTURE_BYTES * 4 // 3 + MULTIPART_BYTES,
}
"""Largest body by path; of all others `MAX_BODY_BYTES`."""


def max_body_bytes(path: str) -> int:
    """Of a request to this path."""
    return UPLOAD_BYTES.get(path, MAX_BODY_BYTES)
