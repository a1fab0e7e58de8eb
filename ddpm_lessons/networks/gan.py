"""A generative adversarial network of 64 px pictures: one network paints, another one judges (arXiv 1406.2661)."""

from torch import Tensor, nn

from .vae import Decoder, Encoder


class Generator(Decoder):
    """Noise into a picture: the very network that is the VAE's decoder.  z: (B, latent) -> (B, 3, 64, 64) in [-1, 1]"""

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).tanh()


class Discriminator(Encoder):
    """A picture into one number, the logit of "this is a photograph".  x: (B, 3, 64, 64) -> (B,)"""

    def __init__(self):
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(1)


class GAN(nn.Module):
    """Both players: the generator makes the pictures, the discriminator is needed for training alone.  As Generator"""

    def __init__(self, latent: int = 64):
        super().__init__()
        self.latent, self.generator, self.discriminator = latent, Generator(latent), Discriminator()

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)
