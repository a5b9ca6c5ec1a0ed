"""The verbs: each module is one job, `run(spec, sink, token) -> Result`, that joins the parts."""
