"""The built-in data of a server: a project, its Q&As and its pages.

The keys and the first identifiers are those of the examples in ``openapi.yaml``, so
that the examples can be sent unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

API_KEY = "sa_pk_1234567890abcdef"
"""The publishable key."""

PRIVATE_KEY = "sk_test_1234567890abcdef"
"""The private key."""

PROJECT_ID = "0b9f3c52-7d41-4c8e-9a26-5e8f7a1b2c3d"
"""The identifier of the only project."""

ASSISTANT_ID = "4f6d2a90-1c3e-4b5a-8d7f-6a5b4c3d2e1f"
"""The identifier of the project's only assistant."""

PROJECT: dict[str, Any] = {
    "object": "project",
    "id": PROJECT_ID,
    "name": "Example Shop",
    "description": "Help for the customers of a shop.",
    "chatWidgetConfig": {
        "welcomeMessage": "Hi! How can I help you?",
        "inputPlaceholder": "Type your question",
        "userMessageBubbleColor": "#1f6feb",
        "userMessageBubbleColorDark": None,
        "brandColor": "#1f6feb",
        "brandColorDark": None,
        "displayName": "Shop assistant",
        "width": 400,
        "maxHeight": 700,
        "offset": {"x": 20, "y": 20},
        "position": "bottom-right",
        "bubbleRadius": 16,
        "baseFontSize": 14,
        "openDelay": 0,
        "customCSSStyles": "",
        "assistantAvatar": None,
        "chatButtonIcon": None,
        "chatButtonColor": None,
    },
}
"""The response of ``getProject``."""


def _qna(qna_id: str, day: int, question: str, answer: str) -> dict[str, Any]:
    written = f"2024-01-{day:02}T09:00:00.000Z"
    return {
        "object": "qna",
        "id": qna_id,
        "createdAt": written,
        "updatedAt": written,
        "question": question,
        "answer": answer,
        "createdBy": {"name": "Example Support", "image": None},
    }


QNAS: tuple[dict[str, Any], ...] = (
    _qna(
        "9c1e7d34-2b56-4f78-8d90-a1b2c3d4e5f6",
        10,
        "How long does shipping take?",
        "Two to four working days within the country.",
    ),
    _qna(
        "1a7c5e02-6d4b-4f3a-9e81-0c2d4b6a8f10",
        11,
        "What does shipping cost?",
        "4.90 per order, and nothing from 50 upwards.",
    ),
    _qna(
        "2b8d6f13-7e5c-4a4b-8f92-1d3e5c7b9a21",
        12,
        "Do you ship abroad?",
        "Yes, to most of Europe, in five to eight working days.",
    ),
    _qna(
        "3c9e7a24-8f6d-4b5c-9a03-2e4f6d8c0b32",
        13,
        "How can I return an order?",
        "Send it back within 30 days, with the label from the parcel.",
    ),
    _qna(
        "4daf8b35-907e-4c6d-8b14-3f507e9d1c43",
        14,
        "When do I get my refund?",
        "Five working days after your return has arrived.",
    ),
    _qna(
        "5eb09c46-a18f-4d7e-9c25-40618fae2d54",
        15,
        "Which ways to pay do you accept?",
        "Credit card, direct debit and bank transfer.",
    ),
    _qna(
        "6fc1ad57-b290-4e8f-8d36-517290bf3e65",
        16,
        "Can I change my order?",
        "Until it is packed: write to us with the order number.",
    ),
    _qna(
        "70d2be68-c3a1-4f90-9e47-6283a1c04f76",
        17,
        "How do I track my parcel?",
        "With the link in the message that says it has been sent.",
    ),
    _qna(
        "81e3cf79-d4b2-4a01-8f58-7394b2d15087",
        18,
        "Is there a warranty?",
        "Two years on everything, five on furniture.",
    ),
    _qna(
        "92f4d08a-e5c3-4b12-9069-84a5c3e26198",
        19,
        "How do I reset my password?",
        "Follow *Forgot password* on the sign-in page.",
    ),
    _qna(
        "a305e19b-f6d4-4c23-817a-95b6d4f372a9",
        20,
        "Do you have a shop in town?",
        "Yes: 12 Market Street, Monday to Saturday from 10 to 18.",
    ),
    _qna(
        "b416f2ac-07e5-4d34-928b-a6c7e50483ba",
        21,
        "Can I buy a gift card?",
        "Yes, for any amount from 10 to 200.",
    ),
)
"""The project's Q&As, oldest first."""


def _page(url: str, title: str, content: str, **product: str | float) -> dict[str, Any]:
    return {"title": title, "content": content, "url": url, "path": urlsplit(url).path, **product}


PAGES: tuple[dict[str, Any], ...] = (
    _page(
        "https://example.com/help/shipping",
        "Shipping",
        "We ship within two to four working days. How long it takes abroad depends on the country.",
    ),
    _page(
        "https://example.com/help/shipping/costs",
        "Shipping costs",
        "Shipping costs 4.90 per order and is free from 50 upwards.",
    ),
    _page(
        "https://example.com/help/returns",
        "Returns and refunds",
        "Return an order within 30 days. The refund arrives five working days later.",
    ),
    _page(
        "https://example.com/help/payment",
        "Payment",
        "Pay by credit card, direct debit or bank transfer.",
    ),
    _page(
        "https://example.com/help/account",
        "Your account",
        "Change your address, reset your password and see your orders.",
    ),
    _page(
        "https://example.com/contact",
        "Contact",
        "Write to us, or visit our shop in 12 Market Street.",
    ),
    _page(
        "https://example.com/products/oak-desk",
        "Oak desk",
        "A desk of solid oak, 140 by 70 centimetres, with five years of warranty.",
        productId="desk-140",
        price=349.0,
        currency="EUR",
        availability="in_stock",
        vendor="Example Furniture",
        productType="desk",
        imageUrl="https://example.com/images/oak-desk.jpg",
    ),
    _page(
        "https://example.com/products/desk-lamp",
        "Desk lamp",
        "A lamp for the desk with warm light and a dimmer.",
        productId="lamp-07",
        price=39.5,
        currency="EUR",
        availability="out_of_stock",
        vendor="Example Lights",
        productType="lamp",
        imageUrl="https://example.com/images/desk-lamp.jpg",
    ),
)
"""The knowledge base that ``search`` looks through; the last two are products."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The data that a server starts with.

    Each publishable key has the origins of its websites, in lower case; ``*`` is
    any. Keys that are None are those of the settings.
    """

    project: Mapping[str, Any]
    publishable_keys: Mapping[str, Sequence[str]] | None
    private_keys: Sequence[str] | None
    qnas: Sequence[Mapping[str, Any]]
    pages: Sequence[Mapping[str, Any]]


SEED = Seed(PROJECT, None, None, QNAS, PAGES)
"""The built-in seed."""
