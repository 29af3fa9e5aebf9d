#!/usr/bin/env bash
# The tokenizer against OpenAI's own tiktoken.
exec "$(dirname "$0")/../oracle.sh"
