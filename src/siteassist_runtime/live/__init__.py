"""The WebSocket of a conversation: its events, and the reply of a human agent."""
