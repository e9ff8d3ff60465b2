"""A tenant's other files: its own alone, listed by kind and job, gone when deleted."""

import pytest
from catalog_examples import content

from sealsmith.catalog import ArtefactKind, Catalog, NewArtefact
from sealsmith.errors import ConfigError, MissingError


@pytest.fixture
def tenants(catalog: Catalog) -> tuple[str, str]:
    return catalog.tenants.create("one").id, catalog.tenants.create("two").id


def picture(number: int, job: str | None = None) -> NewArtefact:
    return NewArtefact(
        ArtefactKind.PICTURE, content(number), "image/png", f"{number}.png", {"seed": number}, job
    )


def test_a_file_is_its_tenant_s_alone(catalog: Catalog, tenants: tuple[str, str]) -> None:
    one, two = tenants
    made = catalog.artefacts.add(one, picture(1))
    assert catalog.artefacts.get(one, made.id) == made
    assert made.about == {"seed": 1}
    assert catalog.artefacts.read(one, made.id) == content(1)
    for attempt in (catalog.artefacts.get, catalog.artefacts.read, catalog.artefacts.delete):
        with pytest.raises(MissingError, match="there is no file"):
            attempt(two, made.id)
    assert catalog.artefacts.page(two, ArtefactKind.PICTURE).items == ()


def test_lists_are_by_kind_and_job_newest_first(catalog: Catalog, tenants: tuple[str, str]) -> None:
    one, two = tenants
    catalog.artefacts.add(two, picture(9))
    catalog.artefacts.add(one, NewArtefact(ArtefactKind.UPLOAD, content(8), "application/zip"))
    for number in range(5):
        catalog.artefacts.add(one, picture(number, job=f"job {number % 2}"))
    page = catalog.artefacts.page(one, ArtefactKind.PICTURE, limit=2)
    rest = catalog.artefacts.page(one, ArtefactKind.PICTURE, after=page.next)
    assert [each.about["seed"] for each in (*page.items, *rest.items)] == [4, 3, 2, 1, 0]
    of_job = catalog.artefacts.page(one, ArtefactKind.PICTURE, job="job 1")
    assert [each.about["seed"] for each in of_job.items] == [3, 1]


def test_equal_files_are_stored_once_and_stay_until_the_last_is_deleted(
    catalog: Catalog, tenants: tuple[str, str]
) -> None:
    one, two = tenants
    first, second = catalog.artefacts.add(one, picture(1)), catalog.artefacts.add(two, picture(1))
    assert len(list(catalog.files.paths())) == 1
    catalog.artefacts.delete(one, first.id)
    assert catalog.artefacts.read(two, second.id) == content(1)
    catalog.artefacts.delete(two, second.id)
    assert list(catalog.files.paths()) == []


def test_absurd_names_are_refused(catalog: Catalog, tenants: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="the file's name"):
        catalog.artefacts.add(tenants[0], NewArtefact(ArtefactKind.UPLOAD, b"", "image/png", "x" * 201))
