"""What runs inside the sandbox, with the submission: its kernel, and how values travel. Nothing here is trusted."""


def connection_info(home: str, key: str) -> dict:
    """Where the kernel's sockets lie, in Jupyter's terms, as seen from where its home folder is ``home``."""
    names = ("shell", "iopub", "stdin", "hb", "control")
    info = {"transport": "ipc", "ip": f"{home}/.cache/k", "key": key, "signature_scheme": "hmac-sha256"}
    return info | {f"{name}_port": number for number, name in enumerate(names, 1)}
