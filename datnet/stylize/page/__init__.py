"""`datnet serve`: a web page for stylizing photographs; needs Gradio."""
