"""Every error a user can meet, as one tree.

SealsmithError
├── InputError                  what was given cannot be used              exit 2, HTTP 400
│   ├── ConfigError             a setting or option: unknown, out of range
│   ├── PictureError            one picture: unreadable, too large, blank
│   ├── PictureSetError         a folder, zip or logo as a whole: empty, unsafe
│   ├── TriggerError            a trigger that cannot work
│   ├── BaseError               a base that cannot be opened
│   └── SealError               a seal file
│       ├── SealFormatError     not a seal: damaged, other dialect, absurd header
│       ├── SealShapeError      a tensor of the wrong shape, or a rank larger than its layer
│       ├── SealEffectError     a seal that changes nothing
│       ├── SealMissingError    the store has no such seal                 HTTP 404
│       ├── SealSizeError       larger than the engine may hold            HTTP 413
│       ├── SealExistsError     another seal has this name                 HTTP 409
│       └── BaseMismatchError   trained for another base                   HTTP 409
├── AccessError                 who asks may not                           exit 2
│   ├── AuthError               no key, or one that is not valid (any more)    HTTP 401
│   ├── ForbiddenError          a key without the scope this needs             HTTP 403
│   ├── QuotaError              the tenant has used up what it may             HTTP 429
│   └── RateError               more requests than a key may make, retryable   HTTP 429
├── MissingError                there is no such tenant, key, job or file      exit 2, HTTP 404
├── ConflictError               what is there already rules it out             exit 2, HTTP 409
├── OrderMissingError       there is no such order of pictures (any more)  exit 1, HTTP 404
├── BodySizeError           a request larger than its route takes          exit 1, HTTP 413
├── HeaderSizeError         a request with more headers than are read      exit 1, HTTP 431
├── SlowClientError         a request that did not come in time            exit 1, HTTP 408
├── OutputError                 a result cannot be written: path, rights, full disk   exit 2, HTTP 507
├── FullError                   no room where something has to be kept, retryable     exit 1, HTTP 507
├── RegistryError               a registry of seals did not answer, or not sensibly    exit 1, HTTP 502
├── StoreError                  the store of seals did not, retryable                  exit 1, HTTP 503
├── DatabaseError               the database did not answer, retryable                 exit 1, HTTP 503
├── LeaseError                  a job is no longer this worker's                       exit 1, HTTP 409
├── WorkerError                 a job's process died                                   exit 1, HTTP 500
├── BusyError                   no room for one more now, retryable                    exit 1, HTTP 429
├── DeadlineError               not begun in time, retryable                           exit 1, HTTP 504
├── EngineError                 the engine's process died or is not there, retryable   exit 1, HTTP 503
├── DrawingError                a picture cannot be finished: NaN                      exit 2, HTTP 500
├── TrainingError               training cannot go on: NaN                            exit 2, HTTP 500
└── Cancelled                   the user stopped it                                    exit 130, HTTP 499

A message states what was wrong and the value received; `remedy` says what to do. Foreign exceptions are
mapped to these once, where they enter, with `from`.
"""


class SealsmithError(Exception):
    """Base of the tree. `code` is stable and machine-readable; `str(error)` is the sentence for people."""

    code = "error"
    exit_status = 1
    http_status = 500
    is_retryable = False
    """Whether the same request may succeed later, with nothing changed."""
    retry_after_s: float | None = None
    """How long to wait before that; None: not known."""

    def __init__(self, message: str, remedy: str = "", retry_after_s: float | None = None):
        """`retry_after_s`: where it is known better than the class knows it."""
        super().__init__(message)
        self.remedy = remedy
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class InputError(SealsmithError):
    code = "input"
    exit_status = 2
    http_status = 400


class ConfigError(InputError):
    code = "config"


class PictureError(InputError):
    code = "picture"


class PictureSetError(InputError):
    code = "picture-set"


class TriggerError(InputError):
    code = "trigger"


class BaseError(InputError):
    code = "base"


class SealError(InputError):
    code = "seal"


class SealFormatError(SealError):
    code = "seal-format"


class SealShapeError(SealError):
    code = "seal-shape"


class SealEffectError(SealError):
    code = "seal-effect"


class SealMissingError(SealError):
    code = "seal-missing"
    http_status = 404


class SealSizeError(SealError):
    code = "seal-size"
    http_status = 413


class BaseMismatchError(SealError):
    code = "base-mismatch"
    http_status = 409


class SealExistsError(SealError):
    code = "seal-exists"
    http_status = 409


class AccessError(SealsmithError):
    code = "access"
    exit_status = 2
    http_status = 403


class AuthError(AccessError):
    code = "auth"
    http_status = 401


class ForbiddenError(AccessError):
    code = "forbidden"


class QuotaError(AccessError):
    code = "quota"
    http_status = 429


class RateError(AccessError):
    code = "rate"
    http_status = 429
    is_retryable = True


class MissingError(SealsmithError):
    code = "missing"
    exit_status = 2
    http_status = 404


class ConflictError(SealsmithError):
    code = "conflict"
    exit_status = 2
    http_status = 409


class OrderMissingError(SealsmithError):
    code = "order-missing"
    http_status = 404


class BodySizeError(SealsmithError):
    code = "body-size"
    http_status = 413


class HeaderSizeError(SealsmithError):
    code = "header-size"
    http_status = 431


class SlowClientError(SealsmithError):
    code = "slow-client"
    http_status = 408


class OutputError(SealsmithError):
    code = "output"
    exit_status = 2
    http_status = 507


class FullError(SealsmithError):
    code = "full"
    http_status = 507
    is_retryable = True
    retry_after_s = 60.0


class RegistryError(SealsmithError):
    code = "registry"
    http_status = 502


class StoreError(SealsmithError):
    code = "store"
    http_status = 503
    is_retryable = True
    retry_after_s = 5.0


class DatabaseError(SealsmithError):
    code = "database"
    http_status = 503
    is_retryable = True
    retry_after_s = 5.0


class LeaseError(SealsmithError):
    code = "lease"
    http_status = 409


class WorkerError(SealsmithError):
    code = "worker"
    is_retryable = True


class BusyError(SealsmithError):
    code = "busy"
    http_status = 429
    is_retryable = True
    retry_after_s = 1.0


class DeadlineError(SealsmithError):
    code = "deadline"
    http_status = 504
    is_retryable = True
    retry_after_s = 1.0


class EngineError(SealsmithError):
    code = "engine"
    http_status = 503
    is_retryable = True


class DrawingError(SealsmithError):
    code = "drawing"
    exit_status = 2


class TrainingError(SealsmithError):
    code = "training"
    exit_status = 2


class Cancelled(SealsmithError):
    code = "cancelled"
    exit_status = 130
    http_status = 499
