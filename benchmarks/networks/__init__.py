"""The networks that attacks are tried on: torchvision's, timm's, those of tutorials, and unusual ones."""
