package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pki fills the folder args[0] with what a control plane at the URL args[1] needs to be spoken to: a certificate
// authority (ca), the server's certificate (server), the key of service account tokens (sa), and for each
// NAME=USER[/GROUP,...] a client certificate and a kubeconfig.
func pki(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: testcluster pki DIR URL NAME=USER[/GROUP,...]...")
	}
	dir, url := args[0], args[1]
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := issue(dir, "ca", &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "testcluster-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil)
	if err != nil {
		return err
	}
	if _, err := issue(dir, "server", &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)},
	}, ca); err != nil {
		return err
	}
	if err := tokenKey(dir); err != nil {
		return err
	}
	for i, spec := range args[2:] {
		name, subject, _ := strings.Cut(spec, "=")
		user, groups, _ := strings.Cut(subject, "/")
		if _, err := issue(dir, name, &x509.Certificate{
			SerialNumber: big.NewInt(int64(10 + i)),
			Subject:      pkix.Name{CommonName: user, Organization: strings.FieldsFunc(groups, isComma)},
			KeyUsage:     x509.KeyUsageDigitalSignature,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, ca); err != nil {
			return err
		}
		if err := writeKubeconfig(dir, url, name); err != nil {
			return err
		}
	}
	return nil
}

func isComma(r rune) bool { return r == ',' }

// signer is a certificate with its key.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue writes NAME.key and NAME.crt, signed by the parent or, without one, by itself.
func issue(dir, name string, template *x509.Certificate, parent *signer) (*signer, error) {
	key, err := newKey(dir, name)
	if err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	if parent == nil {
		parent = &signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, &key.PublicKey, parent.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &signer{certificate, key}, writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der)
}

func newKey(dir, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(filepath.Join(dir, name+".key"), "EC PRIVATE KEY", der)
}

// tokenKey writes sa.key and sa.pub.
func tokenKey(dir string) error {
	key, err := newKey(dir, "sa")
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeKubeconfig writes NAME.kubeconfig, which needs no other file.
func writeKubeconfig(dir, url, name string) error {
	encoded := make(map[string]string, 3)
	for _, file := range []string{"ca.crt", name + ".crt", name + ".key"} {
		bytes, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		encoded[file] = base64.StdEncoding.EncodeToString(bytes)
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: testcluster
  cluster: {server: %[2]q, certificate-authority-data: %[3]s}
users:
- name: %[1]s
  user: {client-certificate-data: %[4]s, client-key-data: %[5]s}
contexts:
- name: %[1]s
  context: {cluster: testcluster, user: %[1]s}
current-context: %[1]s
`, name, url, encoded["ca.crt"], encoded[name+".crt"], encoded[name+".key"])
	return os.WriteFile(filepath.Join(dir, name+".kubeconfig"), []byte(text), 0o600)
}
