"""`datnet serve`: a web page on which artists paint their photographs; needs Gradio."""
