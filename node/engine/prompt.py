"""Turns a conversation into token ids, by the model's own chat template.

Decides that what a message says is never read as a control token; refuses to know
engines. The caller sees to it that no other thread uses the tokenizer meanwhile.
"""

from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import BatchEncoding, PreTrainedTokenizerBase

from federated_router.kit.errors import FieldInvalid
from node.engine.engine import ChatMessage
from node.engine.limits import check_messages

_PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}"
    "{% endfor %}assistant:"
)


def rendered_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[ChatMessage]
) -> list[int]:
    """Return the token ids of a conversation, ready for an assistant's answer.

    Raises:
        FieldInvalid: a role is unknown or the template refuses the turns.
    """
    check_messages(messages)
    try:
        rendered = tokenizer.apply_chat_template(
            [{"role": found.role, "content": found.content} for found in messages],
            chat_template=tokenizer.chat_template or _PLAIN_TEMPLATE,
            add_generation_prompt=True,
            return_dict=True,
            # A message that spells a control token must not end its own turn.
            sanitize_control_tokens=True,
        )
    except TemplateError as refused:
        raise FieldInvalid(
            f"The model's chat template refuses these turns: {refused}",
            field="messages",
        ) from refused
    if not isinstance(rendered, BatchEncoding):
        raise TypeError("the tokenizer returned text where ids were asked for")
    return list(rendered.input_ids)
