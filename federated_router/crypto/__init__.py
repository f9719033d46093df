"""Sum members' integer vectors so that nobody sees less than the sum (Protocol B).

One round, in order:

1. `signing`, `binding`: each member announces an Ed25519 and an X25519 key, bound to
   its TLS certificate, so that the coordinator cannot put keys of its own in between.
2. `beacon`: members commit to nonces, the roster is hashed, the nonces are revealed,
   and the public polynomials a_1..a_k follow from them. Nobody chooses them.
3. `quantise`: statistics become integers on a stated grid, are clipped, get their
   share of noise (elsewhere), and a count of 1. A roster that could overflow the sum
   is refused before the round opens.
4. `ckks.encrypt`: c = encode(m) - a*s + e under a secret s that is drawn inside the
   call, so that no secret ever encrypts twice. All arithmetic stands in `ring`.
5. `packed_shamir`: s is shared among the holders, with masks behind it; `share_seeds`
   sends half of them a seed in place of a share; `sealing` closes each from its dealer
   for its holder; `body_layout` says where it lies. `signing` signs the digest of the
   body, shares included.
6. `dealing_check`: each holder sends masked combinations of the shares that it was
   dealt; `dealing_verdict` names dealers whose shares lie on no polynomial and holders
   who said so falsely. The other contributors are the survivors.
7. `cohorts`: the roster falls into cohorts that follow from the beacon. For each,
   `ckks.sum_bodies` adds its survivors' ciphertexts in TenSEAL.
8. Each holder answers once, with the sums of its shares over each cohort's survivors.
9. `opening`: enough answers give each cohort's S = sum of s, and name the holders that
   lied (`decoding`). `ckks.open_sum` decrypts under S and rounds to the exact integer
   sum; `quantise.without_count` refuses it unless the count equals the survivors.

What this does not cover, on purpose or for now:

- The coordinator learns each cohort's S, and with it the sum of its members'
  encryption errors. One more hint on each secret; 54 bits of modulus at N = 4096, where
  109 are allowed for 128-bit security, leave room for it (hint-LWE).
- A dealer of good shares of another secret than the one that encrypted spoils its
  cohort's opening. It is detected, not located.
- Two rounds over different rosters can be subtracted; only the noise in the
  statistics answers that.
- One answer per round, durably, is the holder's own duty (`federation`).
- Python is not constant time and cannot erase memory: a neighbour who can measure a
  member's process is outside this model.

This package is the only door to TenSEAL. It knows neither gRPC nor a clock, and it
takes randomness from the operating system unless a test hands in another source.
"""
