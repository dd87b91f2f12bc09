"""What reviewers see on MLflow's pages: where they begin, who is champion, what a run or version says first. Figures, tables and tags belong to `registry.tracking`."""
