"""The methods, one a file, each for one image over a `Score`; `cnnviz.attribution.METHODS` names them."""
