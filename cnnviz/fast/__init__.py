"""The same values, sooner: delete this folder (or set `CNNVIZ_PLAIN=1`) and every result stays."""
