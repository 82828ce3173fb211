-- A Kubernetes cluster's kubeconfig, sealed like a credential's secret. NULL: the portal runs in the cluster itself.
ALTER TABLE clusters ADD COLUMN key_id TEXT;
ALTER TABLE clusters ADD COLUMN sealed BLOB;
