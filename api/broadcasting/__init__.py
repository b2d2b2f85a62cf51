"""Broadcasts: to whom, what they come to, and the pages in which they are taken up."""
