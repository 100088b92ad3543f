"""How the server of ``make lab`` and of Binder saves a notebook: without views of widgets.

A saved view is dead without its kernel, and opening it shows "model not found". What stays is the sentence
beside it, which says to run the cell.
"""

VIEW = "application/vnd.jupyter.widget-view+json"


def leave_out_views(model, **_):
    """A hook of Jupyter Server: change what is about to be written."""
    if model.get("type") == "notebook" and model.get("content"):
        for cell in model["content"].get("cells", []):
            if "outputs" in cell:
                cell["outputs"] = [made for made in cell["outputs"] if VIEW not in made.get("data", {})]


c = get_config()  # noqa: F821
c.ContentsManager.pre_save_hook = leave_out_views
