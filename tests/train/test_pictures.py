"""Laws of picture sets: what a folder or zip gives, and that each bad one is refused in a clear sentence."""

import io
import json
import os
import posixpath
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sealsmith.errors import InputError, PictureError, PictureSetError
from sealsmith.train.pictures import PictureSet, read_picture_set


def png(colour: str = "red", size: tuple[int, int] = (40, 40)) -> bytes:
    image = Image.new("RGB", size, colour)
    image.paste("black", (5, 5, 20, 12))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def folder_of(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zip_of(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def read(path: Path, trigger: str = "sks", strict: bool = False) -> PictureSet:
    return read_picture_set(path, trigger=trigger, class_noun="emblem", strict=strict)


def read_or_refused(path: Path) -> PictureSet | InputError:
    try:
        return read(path)
    except InputError as error:
        return error


def captions(pictures: PictureSet) -> dict[str, str | None]:
    return {picture.source: picture.caption for picture in pictures.pictures}


FILES = {
    "a.png": png("red"),
    "a.txt": b"a red [trigger] box",
    "10_sks dog/b.jpg": png("blue"),
    "10_sks dog/b.txt": "[TRIGGER] für immer".encode(),
    "10_sks dog/deeper/c.png": png("green"),
    "masks/a.png": png("white"),
}


def test_a_zip_is_its_folder(tmp_path: Path) -> None:
    folder = read(folder_of(tmp_path / "set", FILES))
    packed = read(zip_of(tmp_path / "set.zip", FILES))
    wrapped = read(zip_of(tmp_path / "wrapped.zip", {f"set/{name}": data for name, data in FILES.items()}))
    assert (folder.kind, packed.kind) == ("folder", "zip")
    assert folder.digest == packed.digest == wrapped.digest
    assert captions(folder) == captions(packed)


def test_captions_folders_and_masks_are_understood(tmp_path: Path) -> None:
    pictures = read(folder_of(tmp_path, FILES))
    assert captions(pictures) == {
        "10_sks dog/b.jpg": "sks für immer",
        "10_sks dog/deeper/c.png": None,
        "a.png": "a red sks box",
    }
    assert [picture.repeats for picture in pictures.pictures] == [10, 10, 1]
    assert pictures.class_noun == "dog"
    mask = pictures.pictures[2].mask
    assert mask is not None
    assert mask.size == pictures.pictures[2].image.size
    assert pictures.warnings == ()


@pytest.mark.parametrize("change", ["pixels", "caption", "repeats", "mask"])
def test_digest_changes_with_what_is_learnt(tmp_path: Path, change: str) -> None:
    other = dict(FILES)
    if change == "pixels":
        other["a.png"] = png("orange")
    elif change == "caption":
        other["a.txt"] = b"another [trigger]"
    elif change == "repeats":
        other = {name.replace("10_", "11_"): data for name, data in FILES.items()}
    else:
        del other["masks/a.png"]
    digests = {read(folder_of(tmp_path / n, f)).digest for n, f in (("one", FILES), ("two", other))}
    assert len(digests) == 2


def test_metadata_lines_caption_pictures_unless_a_file_beside_them_does(tmp_path: Path) -> None:
    lines = [
        {"file_name": "a.png", "text": "from the list"},
        {"file_name": "b.png", "text": "from [trigger] list"},
        {"file_name": "../../outside.png", "text": "nobody's"},
    ]
    files = {
        "data/a.png": png("red"),
        "data/b.png": png("blue"),
        "data/a.txt": b"sks from the file",
        "data/metadata.jsonl": "\n".join(map(json.dumps, lines)).encode(),
    }
    assert captions(read(folder_of(tmp_path, files))) == {
        "data/a.png": "sks from the file",
        "data/b.png": "from sks list",
    }


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "x"}', '{"file_name": 3, "text": "x"}', '{"file_name": "."}']
)
def test_bad_metadata_lines_are_named(tmp_path: Path, line: str) -> None:
    files = {"a.png": png(), "metadata.jsonl": f'{{"file_name": "a.png", "text": "sks"}}\n{line}\n'.encode()}
    folder_of(tmp_path, files)
    pictures = read(tmp_path)
    assert captions(pictures) == {"a.png": "sks"}
    assert pictures.warnings[0].startswith("metadata.jsonl line 2 ")
    with pytest.raises(PictureError, match=r"metadata\.jsonl line 2 "):
        read(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        ({"caption": "a fox"}, "a fox"),
        ({"prompt": "a fox"}, "a fox"),
        ({"prompt": "no", "caption": "a fox"}, "a fox"),
        ({"prompt": "no", "caption": "no", "text": "a fox"}, "a fox"),
        ({"text": "", "caption": "a fox"}, "a fox"),
        ({"text": None, "prompt": "a fox"}, "a fox"),
        ({"text": "", "source": "the web"}, None),
        ({"width": 8}, None),
    ],
)
def test_a_metadata_line_has_its_caption_as_text_else_caption_else_prompt(
    tmp_path: Path, fields: dict[str, object], caption: str | None
) -> None:
    line = json.dumps({"file_name": "a.png"} | fields).encode()
    pictures = read(folder_of(tmp_path, {"a.png": png(), "metadata.jsonl": line}), strict=True)
    assert captions(pictures) == {"a.png": caption}


def test_words_under_another_name_are_not_lost_in_silence(tmp_path: Path) -> None:
    lines = [{"file_name": f"{name}.png", "label": "a fox", "source": "the web"} for name in "abc"]
    files = {f"{name}.png": png(colour) for name, colour in zip("abc", ("red", "blue", "green"), strict=True)}
    files["metadata.jsonl"] = "\n".join(map(json.dumps, lines)).encode()
    pictures = read(folder_of(tmp_path, files))
    assert set(captions(pictures).values()) == {None}
    [warning] = pictures.warnings
    assert warning.startswith(
        "metadata.jsonl line 1 and 2 more like it: no caption under 'text', 'caption', 'prompt'"
    )
    assert "'label', 'source'" in warning
    with pytest.raises(PictureError, match="'label', 'source'"):
        read(tmp_path, strict=True)
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("a fox of sks")
    assert read(tmp_path, strict=True).warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_captions_are_read_by_their_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    folder_of(tmp_path, {"a.png": png(), "a.txt": "ein sks über Öl\r\n".encode(encoding)})
    pictures = read(tmp_path, strict=True)
    assert (captions(pictures), pictures.warnings) == ({"a.png": "ein sks über Öl"}, ())


def test_latin_1_captions_are_guessed_with_a_warning_and_refused_when_strict(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": png(), "a.txt": "ein sks über Öl".encode("latin-1")})
    pictures = read(tmp_path)
    assert captions(pictures) == {"a.png": "ein sks über Öl"}
    assert "a.txt is not UTF-8 text" in pictures.warnings[0]
    with pytest.raises(PictureError, match=r"a\.txt is not UTF-8 text"):
        read(tmp_path, strict=True)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00\xd8", b"\xe9\x00\x01", b"bell \x07", b"x" * 100_000], ids=repr
)
def test_captions_that_are_no_text_are_left_out_and_named(tmp_path: Path, data: bytes) -> None:
    folder_of(tmp_path, {"a.png": png(), "a.txt": data})
    pictures = read(tmp_path)
    assert captions(pictures) == {"a.png": None}
    assert pictures.warnings[0].startswith("a.txt ")
    with pytest.raises(PictureError, match=r"a\.txt "):
        read(tmp_path, strict=True)


@given(data=st.binary(max_size=60))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_a_caption_never_cost_the_picture(tmp_path: Path, data: bytes) -> None:
    folder_of(tmp_path, {"a.png": png(), "a.txt": data})
    assert len(read(tmp_path).pictures) == 1


def test_long_captions_are_cut_between_words_with_a_warning(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": png(), "a.txt": b"sks " + b"word " * 2000})
    pictures = read(tmp_path)
    text = pictures.pictures[0].caption
    assert text is not None
    assert 990 < len(text) <= 1000
    assert text.endswith(" word")
    assert "a.txt is a caption of 10003 characters" in pictures.warnings[0]
    with pytest.raises(PictureError, match="10003 characters"):
        read(tmp_path, strict=True)


def test_captions_without_the_trigger_are_counted(tmp_path: Path) -> None:
    folder_of(
        tmp_path, {"a.png": png(), "a.txt": b"an SKS box", "b.png": png("blue"), "b.txt": b"two sksers"}
    )
    assert any("1 of 2 captions do not say the trigger 'sks'" in w for w in read(tmp_path).warnings)


def test_folders_of_several_classes_caption_their_own(tmp_path: Path) -> None:
    names = ("1_sks dog", "2_cat", "0_fox", "2024_holiday")
    folder_of(
        tmp_path,
        {f"{name}/a.png": png(c) for name, c in zip(names, ("red", "blue", "tan", "lime"), strict=True)},
    )
    pictures = read(tmp_path)
    assert captions(pictures) == {
        "1_sks dog/a.png": "sks dog",
        "2_cat/a.png": "sks cat",
        "2024_holiday/a.png": None,
    }
    assert [picture.repeats for picture in pictures.pictures] == [1, 1, 2]
    assert pictures.class_noun is None
    told = " ".join(pictures.warnings)
    assert "0_fox/a.png is left out" in told
    assert "2024_holiday is read as a plain folder" in told
    assert "several classes (cat, dog)" in told


def test_kohyas_regularisation_pictures_are_never_learnt(tmp_path: Path) -> None:
    folder_of(tmp_path, {"img/5_sks dog/a.png": png(), "reg/1_dog/b.png": png("blue")})
    pictures = read(tmp_path)
    assert list(captions(pictures)) == ["img/5_sks dog/a.png"]
    assert "1 files in reg/ are left out" in pictures.warnings[0]


def test_one_bad_picture_among_good_ones_is_named_and_skipped_or_refused(tmp_path: Path) -> None:
    bad = {"torn.png": png()[:60], "text.jpg": b"hello", "dot.webp": png(size=(1, 1)), "empty.gif": b""}
    folder_of(tmp_path, {"good.png": png(), **bad})
    pictures = read(tmp_path)
    assert list(captions(pictures)) == ["good.png"]
    assert [warning.split()[0] for warning in pictures.warnings] == sorted(bad)
    with pytest.raises(PictureError, match=r"dot\.webp"):
        read(tmp_path, strict=True)


def test_same_pictures_are_named(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": png(), "b.png": png(), "c.png": png("blue")})
    assert read(tmp_path).warnings == ("b.png is the same picture as a.png: it counts twice",)


def test_pictures_of_other_formats_do_not_go_missing_silently(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.png": png(), "b.heic": b"x", "logo.svg": b"<svg/>", "notes.pdf": b"x"})
    told = read(tmp_path).warnings
    assert len(told) == 2
    assert told[0].startswith("b.heic is left out")
    assert told[1].startswith("logo.svg is left out: an SVG is read only by itself")


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    hidden = {"__MACOSX/._a.png": b"x", ".DS_Store": b"x", ".git/b.png": png("blue"), "Thumbs.db": b"x"}
    folder_of(tmp_path / "set", {"a.png": png(), **hidden})
    packed = zip_of(tmp_path / "set.zip", {"a.png": png(), **hidden})
    for pictures in (read(tmp_path / "set"), read(packed)):
        assert (list(captions(pictures)), pictures.warnings) == (["a.png"], ())


@pytest.mark.parametrize("what", ["empty folder", "missing", "texts only", "empty zip", "a bad picture only"])
def test_sets_without_a_picture_are_refused(tmp_path: Path, what: str) -> None:
    files: dict[str, bytes] = {"a bad picture only": {"a.png": b"x"}, "texts only": {"a.txt": b"x"}}.get(
        what, {}
    )
    path = folder_of(tmp_path, files)
    if what == "missing":
        path = tmp_path / "nowhere"
    elif what == "empty zip":
        path = zip_of(tmp_path / "empty.zip", {})
    sentence = "does not exist" if what == "missing" else "has no picture to train on"
    with pytest.raises(PictureSetError, match=sentence) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    if what == "a bad picture only":
        assert "a.png cannot be read" in str(caught.value)


@pytest.mark.parametrize("name", ["letter.pdf", "set.tar.gz"])
def test_files_that_are_neither_set_nor_picture_are_refused(tmp_path: Path, name: str) -> None:
    path = folder_of(tmp_path, {name: b"%PDF-"}) / name
    with pytest.raises(PictureSetError, match="neither a folder, a zip, nor a picture"):
        read(path)


def test_pipes_are_neither_read_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureSetError, match="neither a file nor a folder"):
        read(tmp_path / "pipe.png")
    folder_of(tmp_path, {"a.png": png()})
    assert list(captions(read(tmp_path))) == ["a.png"]


def test_links_are_followed_inside_a_folder_only(tmp_path: Path) -> None:
    folder_of(tmp_path, {"outside/secret.png": png("blue"), "set/real.png": png()})
    (tmp_path / "set/inside.png").symlink_to("real.png")
    (tmp_path / "set/secret.png").symlink_to(tmp_path / "outside/secret.png")
    (tmp_path / "set/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "set/round").symlink_to(tmp_path / "set")
    (tmp_path / "set/broken.png").symlink_to("nothing.png")
    (tmp_path / "set/circle.png").symlink_to("circle.png")
    pictures = read(tmp_path / "set")
    assert list(captions(pictures)) == ["inside.png", "real.png"]
    outside = [warning for warning in pictures.warnings if "leads out of" in warning]
    assert {warning.split()[0] for warning in outside} == {"circle.png", "folder", "secret.png"}
    with pytest.raises(PictureError, match="leads out of"):
        read(tmp_path / "set", strict=True)


def test_one_photo_is_a_set_of_one_with_its_caption(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    folder_of(tmp_path, {"photo.txt": b"[trigger] in noise", "other.png": png()})
    pictures = read(tmp_path / "photo.png")
    assert (pictures.kind, captions(pictures)) == ("folder", {"photo.png": "sks in noise"})
    assert np.array_equal(pictures.pictures[0].image, noise)
    assert "taken for a photo" in pictures.warnings[0]


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    "name",
    ["../a.png", "x/../../a.png", "/etc/a.png", "C:/a.png", "C:\\a.png", "..\\a.png", "\\\\host\\a.png"],
)
def test_zips_with_names_that_lead_out_are_refused_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", png())
        archive.writestr(entry(name), png())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PictureSetError, match="leads out of the archive; nothing was read"):
        read(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO, "is neither a file nor a folder")],
)
def test_zips_with_links_or_devices_are_refused(tmp_path: Path, mode: int, sentence: str) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", png())
        archive.writestr(entry("a.png", mode), b"/etc/passwd")
    with pytest.raises(PictureSetError, match=f"'a.png' {sentence}"):
        read(path)


def test_encrypted_zips_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.png": png()})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(PictureSetError, match="is encrypted"):
        read(path)


def test_zip_bombs_are_refused_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", {"a.png": bytes(4 << 20)}, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # unpacking anything would now fail
    with pytest.raises(PictureSetError, match="as a zip bomb does"):
        read(bomb)


def test_zips_of_absurd_declared_size_or_number_are_refused(tmp_path: Path) -> None:
    many = zip_of(tmp_path / "many.zip", {f"{i}.txt": b"" for i in range(10_001)})
    with pytest.raises(PictureSetError, match="holds 10001 files"):
        read(many)
    data = bytearray(zip_of(tmp_path / "large.zip", {f"{i}.png": b"" for i in range(3)}).read_bytes())
    place = 0
    while (place := data.find(b"PK\x01\x02", place)) >= 0:
        data[place + 20 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little") * 2
        place += 46
    (tmp_path / "large.zip").write_bytes(data)
    with pytest.raises(PictureSetError, match="would unpack to 12884901840 bytes"):
        read(tmp_path / "large.zip")
    directory = bytearray(zip_of(tmp_path / "list.zip", {"a.png": png()}).read_bytes())
    end = directory.rfind(b"PK\x05\x06")
    directory[end + 12 : end + 16] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "list.zip").write_bytes(directory)
    with pytest.raises(PictureSetError, match="lists far more entries"):
        read(tmp_path / "list.zip")


def test_rare_zip_methods_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.png": png()}, compression=zipfile.ZIP_LZMA)
    with pytest.raises(PictureSetError, match="packed with method 14"):
        read(path)


def test_a_damaged_zip_entry_costs_only_itself(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.png": png("red"), "b.png": png("blue")})
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(data)
    pictures = read(path)
    assert list(captions(pictures)) == ["b.png"]
    assert "a.png is damaged inside the zip" in pictures.warnings[0]


@pytest.mark.parametrize("keep", [3, 40, -30])
def test_cut_off_zips_are_refused(tmp_path: Path, keep: int) -> None:
    path = zip_of(tmp_path / "a.zip", {"a.png": png()})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(PictureSetError, match="is not a readable zip"):
        read(path)


@given(
    name=st.text(st.sampled_from("a./\\:C~_ é\n"), min_size=1, max_size=14),
    suffix=st.sampled_from([".png", ""]),
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_member_name_escapes(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / "fuzz.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry("plain.png"), png())
        archive.writestr(entry(name + suffix), png("blue"))
    before = sorted(tmp_path.rglob("*"))
    outcome = read_or_refused(path)
    if isinstance(outcome, InputError):
        assert "leads out" in str(outcome)
    else:
        for picture in outcome.pictures:
            assert posixpath.normpath("/set//" + picture.source).startswith("/set/")
            assert ".." not in picture.source.split("/")
            assert not picture.source.startswith("/")
    assert sorted(tmp_path.rglob("*")) == before
