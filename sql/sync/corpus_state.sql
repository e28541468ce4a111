-- Held until the claim is made: what is paused now is paused for it.
SELECT c.state FROM socle.corpus c WHERE c.name = $1 FOR SHARE
