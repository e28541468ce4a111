-- Locked until the claim is made, so that a pause takes effect at once.
SELECT c.state FROM socle.corpus c WHERE c.name = $1 FOR SHARE
