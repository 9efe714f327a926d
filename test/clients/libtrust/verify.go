// Checks the signatures of image manifests of schema 1 with docker's own library. For each file that is named it prints the digest of
// what was signed, and the keys that signed it.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/docker/libtrust"
)

func main() {
	for _, file := range os.Args[1:] {
		if err := verify(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

func verify(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	signature, err := libtrust.ParsePrettySignature(text, "signatures")
	if err != nil {
		return err
	}
	keys, err := signature.Verify()
	if err != nil {
		return err
	}
	payload, err := signature.Payload()
	if err != nil {
		return err
	}
	fmt.Printf("sha256:%x", sha256.Sum256(payload))
	for _, key := range keys {
		fmt.Printf(" %s", key.KeyID())
	}
	fmt.Println()
	return nil
}
