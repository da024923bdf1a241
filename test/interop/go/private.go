package main

import (
	"crypto/ecdsa"

	"github.com/FISCO-BCOS/go-sdk/conf"
	"github.com/ethereum/go-ethereum/crypto"
)

// As the examples of the SDK load keys: it reads PEM alone.

func (d *driver) subscribePrivate(request command) error {
	bytes, _, err := conf.LoadECPrivateKeyFromPEM(request.KeyFile)
	if err != nil {
		return err
	}
	key, err := crypto.ToECDSA(bytes)
	if err != nil {
		return err
	}
	return d.sdk.SubscribePrivateTopic(request.Topic, key, d.handler(request.Topic))
}

func (d *driver) publishPrivate(request command) error {
	keys := make([]*ecdsa.PublicKey, 0, len(request.PublicKeyFiles))
	for _, file := range request.PublicKeyFiles {
		bytes, _, err := conf.LoadECPublicKeyFromPEM(file)
		if err != nil {
			return err
		}
		key, err := crypto.UnmarshalPubkey(bytes)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	return d.sdk.PublishPrivateTopic(request.Topic, keys)
}
