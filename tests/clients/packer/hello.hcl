# An image of Debian 12, published as a managed image and as a version of a gallery's definition.

variable "subscription_id" {
  default = env("ARM_SUBSCRIPTION_ID")
}

variable "tenant_id" {
  default = env("ARM_TENANT_ID")
}

variable "client_id" {
  default = env("ARM_CLIENT_ID")
}

variable "client_secret" {
  default   = env("ARM_CLIENT_SECRET")
  sensitive = true
}

variable "proxy" {
  default = env("VI_PROXY")
}

source "azure-arm" "hello" {
  subscription_id = var.subscription_id
  tenant_id       = var.tenant_id
  client_id       = var.client_id
  client_secret   = var.client_secret

  location        = "westeurope"
  vm_size         = "Standard_B2s"
  os_type         = "Linux"
  image_publisher = "Debian"
  image_offer     = "debian-12"
  image_sku       = "12"
  ssh_proxy_host  = "127.0.0.1"
  ssh_proxy_port  = split(":", var.proxy)[2]

  managed_image_resource_group_name = "images"
  managed_image_name                = "hello"
  shared_image_gallery_destination {
    resource_group      = "images"
    gallery_name        = "golden"
    image_name          = "hello"
    image_version       = "1.0.0"
    replication_regions = ["westeurope"]
  }
  azure_tags = {
    made = "by-packer"
  }
}

build {
  sources = ["source.azure-arm.hello"]

  provisioner "file" {
    source      = "${path.root}/motd"
    destination = "/tmp/motd"
  }

  provisioner "shell" {
    inline = ["sudo install -m 0644 /tmp/motd /etc/motd", "cat /etc/motd"]
  }
}
