# For starts in this folder. `include:` would not pass on the target of workflow/Snakefile, its rule `all`.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
