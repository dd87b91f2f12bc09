"""Where the document and its page are fetched."""

import pytest

from lesionflow.serving.openapi.document import openapi_document


def test_the_document_is_served_as_it_is_made(client):
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == openapi_document()


def test_the_page_asks_where_it_was_asked_and_is_shut(client):
    answer = client.get("/docs", headers={"Host": "localhost:8123"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "http://localhost:8123/v1/segment" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/docs/", "/redoc", "/openapi.yaml", "/docs/oauth2-redirect"])
def test_nothing_else_is_served_beside_them(client, path):
    assert client.get(path, follow_redirects=False).status_code in (307, 404)
