from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.widget_position import WidgetPosition
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.widget_offset import WidgetOffset


T = TypeVar("T", bound="ChatWidgetConfig")


@_attrs_define
class ChatWidgetConfig:
    """How the project's chat widget looks and behaves.

    Reference: schema `ChatWidgetConfig` of the SiteAssist API 2.0.0.

    """

    welcome_message: str
    """ What the widget says first. At most 500 characters. """
    input_placeholder: str
    """ What an empty input box shows. At most 100 characters. """
    user_message_bubble_color: str
    """ The background of the visitor's messages. At most 64 characters. """
    user_message_bubble_color_dark: None | str
    """ The same in dark mode. At most 64 characters. """
    brand_color: str
    """ The main colour. At most 64 characters. """
    brand_color_dark: None | str
    """ The same in dark mode. At most 64 characters. """
    display_name: None | str
    """ The name that the assistant goes by. """
    width: float
    """ The width of the open widget. """
    max_height: float
    """ The greatest height of the open widget. """
    offset: WidgetOffset
    """ The distance between the widget and its corner of the page. """
    position: WidgetPosition
    """ The corner of the page that the widget sits in. """
    bubble_radius: float
    """ How round the corners of messages are. """
    base_font_size: float
    """ The size of ordinary text. From 8 to 32. """
    open_delay: float
    """ How long the widget waits before it opens by itself. """
    custom_css_styles: str
    """ CSS to add to the widget's own. """
    assistant_avatar: None | str | Unset = UNSET
    """ Where to find the assistant's picture. """
    chat_button_icon: None | str | Unset = UNSET
    """ Where to find the picture on the button that opens the widget. """
    chat_button_color: None | str | Unset = UNSET
    """ The colour of that button. """
    additional_properties: dict[str, Any] = _attrs_field(factory=dict, kw_only=True)
    """The fields that are not described here, and optional fields that are null."""

    # Without it, iteration would call `__getitem__` with numbers.
    __iter__: ClassVar[None] = None

    def __attrs_post_init__(self) -> None:
        """Copy the additional properties, which `attrs.evolve` passes on."""
        self.additional_properties = dict(self.additional_properties)

    def to_dict(self) -> dict[str, Any]:
        welcome_message = self.welcome_message

        input_placeholder = self.input_placeholder

        user_message_bubble_color = self.user_message_bubble_color

        user_message_bubble_color_dark: None | str
        user_message_bubble_color_dark = self.user_message_bubble_color_dark

        brand_color = self.brand_color

        brand_color_dark: None | str
        brand_color_dark = self.brand_color_dark

        display_name: None | str
        display_name = self.display_name

        width = self.width

        max_height = self.max_height

        offset = self.offset.to_dict()

        position = self.position.value

        bubble_radius = self.bubble_radius

        base_font_size = self.base_font_size

        open_delay = self.open_delay

        custom_css_styles = self.custom_css_styles

        assistant_avatar: None | str | Unset
        if isinstance(self.assistant_avatar, Unset):
            assistant_avatar = UNSET
        else:
            assistant_avatar = self.assistant_avatar

        chat_button_icon: None | str | Unset
        if isinstance(self.chat_button_icon, Unset):
            chat_button_icon = UNSET
        else:
            chat_button_icon = self.chat_button_icon

        chat_button_color: None | str | Unset
        if isinstance(self.chat_button_color, Unset):
            chat_button_color = UNSET
        else:
            chat_button_color = self.chat_button_color

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "welcomeMessage": welcome_message,
                "inputPlaceholder": input_placeholder,
                "userMessageBubbleColor": user_message_bubble_color,
                "userMessageBubbleColorDark": user_message_bubble_color_dark,
                "brandColor": brand_color,
                "brandColorDark": brand_color_dark,
                "displayName": display_name,
                "width": width,
                "maxHeight": max_height,
                "offset": offset,
                "position": position,
                "bubbleRadius": bubble_radius,
                "baseFontSize": base_font_size,
                "openDelay": open_delay,
                "customCSSStyles": custom_css_styles,
            }
        )
        if assistant_avatar is not UNSET:
            field_dict["assistantAvatar"] = assistant_avatar
        if chat_button_icon is not UNSET:
            field_dict["chatButtonIcon"] = chat_button_icon
        if chat_button_color is not UNSET:
            field_dict["chatButtonColor"] = chat_button_color

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.widget_offset import WidgetOffset

        d = dict(src_dict)
        welcome_message = d.pop("welcomeMessage")

        input_placeholder = d.pop("inputPlaceholder")

        user_message_bubble_color = d.pop("userMessageBubbleColor")

        def _parse_user_message_bubble_color_dark(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        user_message_bubble_color_dark = _parse_user_message_bubble_color_dark(
            d.pop("userMessageBubbleColorDark", None)
        )

        brand_color = d.pop("brandColor")

        def _parse_brand_color_dark(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        brand_color_dark = _parse_brand_color_dark(d.pop("brandColorDark", None))

        def _parse_display_name(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        display_name = _parse_display_name(d.pop("displayName", None))

        width = d.pop("width")

        max_height = d.pop("maxHeight")

        offset = WidgetOffset.from_dict(d.pop("offset"))

        position = WidgetPosition(d.pop("position"))

        bubble_radius = d.pop("bubbleRadius")

        base_font_size = d.pop("baseFontSize")

        open_delay = d.pop("openDelay")

        custom_css_styles = d.pop("customCSSStyles")

        def _parse_assistant_avatar(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        assistant_avatar = _parse_assistant_avatar(d.pop("assistantAvatar", UNSET))

        def _parse_chat_button_icon(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        chat_button_icon = _parse_chat_button_icon(d.pop("chatButtonIcon", UNSET))

        def _parse_chat_button_color(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        chat_button_color = _parse_chat_button_color(d.pop("chatButtonColor", UNSET))

        chat_widget_config = cls(
            welcome_message=welcome_message,
            input_placeholder=input_placeholder,
            user_message_bubble_color=user_message_bubble_color,
            user_message_bubble_color_dark=user_message_bubble_color_dark,
            brand_color=brand_color,
            brand_color_dark=brand_color_dark,
            display_name=display_name,
            width=width,
            max_height=max_height,
            offset=offset,
            position=position,
            bubble_radius=bubble_radius,
            base_font_size=base_font_size,
            open_delay=open_delay,
            custom_css_styles=custom_css_styles,
            assistant_avatar=assistant_avatar,
            chat_button_icon=chat_button_icon,
            chat_button_color=chat_button_color,
        )

        chat_widget_config.additional_properties = d
        return chat_widget_config

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
