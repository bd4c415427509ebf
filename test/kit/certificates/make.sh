#!/usr/bin/env bash
# Makes the certificates of the tests, all anew, with OpenSSL 3: `bash test/kit/certificates/make.sh`. They are valid from 2020 to
# 2120, but for the two that are there to be refused, and committed, so that no test needs OpenSSL for them.
#
#   ca.pem                   an authority; its key is thrown away
#   localhost.pem            of localhost, 127.0.0.1 and ::1, signed by it; localhost-key.pem, localhost-encrypted-key.pem (password: secret)
#   localhost-with-key.pem   both in one file
#   rsa.pem, rsa-key.pem     the same names with a key of another kind
#   chained.pem              the same names, signed by an authority that ca.pem has signed, which comes second; the key is localhost-key.pem
#   self-signed.pem          of localhost, signed by itself; self-signed-key.pem
#   expired.pem, future.pem  of localhost; the key is localhost-key.pem
#   example.pem              of example.com and *.example.org; the key is localhost-key.pem
#   client.pem               alice's, signed by the authority; client-key.pem
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ec() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }

# sign AUTHORITY SUBJECT KEY EXTENSIONS [START END]: a certificate; the authority 'self' is its own
sign() {
  local authority=$1 subject=$2 key=$3 extensions=$4 start=${5:-20200101000000Z} end=${6:-21200101000000Z}
  local signer=(-cert "$work/$authority.pem" -keyfile "$work/$authority-key.pem")
  if [[ $authority == self ]]; then signer=(-selfsign -keyfile "$key"); fi
  printf '%s\n' '[ca]' 'default_ca=x' '[x]' "database=$work/index" "new_certs_dir=$work" 'default_md=sha256' 'policy=any' 'rand_serial=yes' \
    'unique_subject=no' 'x509_extensions=ext' '[any]' 'commonName=supplied' '[ext]' "$extensions" >"$work/conf"
  : >"$work/index"
  openssl req -new -key "$key" -subj "/CN=$subject" -out "$work/request"
  openssl ca -batch -notext -config "$work/conf" "${signer[@]}" -startdate "$start" -enddate "$end" -in "$work/request" 2>/dev/null
}

authority=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
names='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'

ec >"$work/ca-key.pem"
sign self 'Curio test authority' "$work/ca-key.pem" "$authority" >ca.pem
cp ca.pem "$work/ca.pem"
ec >"$work/middle-key.pem"
sign ca 'Curio test middleman' "$work/middle-key.pem" "$authority" >"$work/middle.pem"

ec >localhost-key.pem
openssl pkcs8 -topk8 -in localhost-key.pem -passout pass:secret -out localhost-encrypted-key.pem
sign ca localhost localhost-key.pem "$names" >localhost.pem
cat localhost.pem localhost-key.pem >localhost-with-key.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa-key.pem 2>/dev/null
sign ca localhost rsa-key.pem "$names" >rsa.pem
sign middle localhost localhost-key.pem "$names" | cat - "$work/middle.pem" >chained.pem
ec >self-signed-key.pem
sign self localhost self-signed-key.pem "$names" >self-signed.pem
sign ca localhost localhost-key.pem "$names" 20010101000000Z 20020101000000Z >expired.pem
sign ca localhost localhost-key.pem "$names" 21190101000000Z 21200101000000Z >future.pem
sign ca example.com localhost-key.pem 'subjectAltName=DNS:example.com,DNS:*.example.org' >example.pem
ec >client-key.pem
sign ca alice client-key.pem 'extendedKeyUsage=clientAuth' >client.pem
