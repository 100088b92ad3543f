"""What runs inside the sandbox, with the submission: its kernel, and how values travel. Nothing here is trusted."""


def connection_info(home: str, key: str) -> dict:
    """Where the kernel's sockets lie, in Jupyter's terms, as seen from where its home folder is ``home``."""
    ports = {
        f"{name}_port": number for number, name in enumerate(("shell", "iopub", "stdin", "hb", "control"), 1)
    }
    return {
        "transport": "ipc",
        "ip": f"{home}/.cache/k",
        "key": key,
        "signature_scheme": "hmac-sha256",
        **ports,
    }
